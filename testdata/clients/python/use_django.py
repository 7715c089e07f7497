"""Django: migrations from models, CRUD, queries, transactions, introspection, flush."""
import os
import sys
import tempfile
from urllib.parse import urlparse

import django
from harness import URL, main, raises

u = urlparse(URL)
base = tempfile.mkdtemp()
app = os.path.join(base, "shopapp")
os.makedirs(os.path.join(app, "migrations"))
for f in ("__init__.py", "migrations/__init__.py"):
    open(os.path.join(app, f), "w").close()
MODELS = '''
from django.db import models
from django.contrib.postgres.fields import ArrayField

class Author(models.Model):
    name = models.CharField(max_length=50, unique=True)
    born = models.DateField(null=True)
    class Meta:
        indexes = [models.Index(fields=["name", "-born"])]

class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
    title = models.CharField(max_length=100, db_index=True)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    data = models.JSONField(default=dict)
    tags = ArrayField(models.CharField(max_length=20), default=list)
    token = models.UUIDField(null=True)
    added = models.DateTimeField(auto_now_add=True)
    pages = models.PositiveIntegerField(default=1)
    readers = models.ManyToManyField(Author, related_name="read")
    class Meta:
        constraints = [models.UniqueConstraint(fields=["author", "title"], name="one_title"), models.CheckConstraint(check=models.Q(price__gte=0), name="price_positive")]
'''
with open(os.path.join(app, "models.py"), "w") as f:
    f.write(MODELS)
sys.path.insert(0, base)
from django.conf import settings  # noqa: E402

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": u.path[1:], "USER": u.username, "HOST": u.hostname, "PORT": u.port}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "django.contrib.postgres", "shopapp"],
    USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", SECRET_KEY="x", MIDDLEWARE=[])
django.setup()
from django.core.management import call_command  # noqa: E402
from django.db import IntegrityError, connection, models, transaction  # noqa: E402


def M():
    from shopapp import models as m
    return m


def migrate():
    call_command("makemigrations", "shopapp", verbosity=0)
    call_command("migrate", verbosity=0)


def nothing_to_migrate():
    call_command("makemigrations", "shopapp", check=True, dry_run=True, verbosity=0)
    call_command("migrate", verbosity=0)


def crud():
    m = M()
    a = m.Author.objects.create(name="Ann", born="1980-01-02")
    b = m.Book.objects.create(author=a, title="One", price="9.50", data={"k": {"x": 1}}, tags=["p", "q"])
    b.readers.add(a)
    m.Book.objects.bulk_create([m.Book(author=a, title="T%d" % i, price=i) for i in range(20)])
    assert m.Book.objects.filter(author__name__icontains="AN", price__gt=5).count() == 15
    assert m.Book.objects.get(data__k__x=1).tags == ["p", "q"]
    assert m.Book.objects.filter(tags__contains=["p"]).exists()
    assert m.Book.objects.filter(title__iregex="^t1").count() == 11
    assert m.Book.objects.update_or_create(author=a, title="One", defaults={"pages": 7})[1] is False
    assert m.Book.objects.filter(title="One").update(pages=models.F("pages") + 1) == 1


def aggregates():
    m = M()
    from django.db.models import Avg, Count, Sum, Window
    from django.db.models.functions import Rank, TruncMonth
    assert m.Author.objects.annotate(n=Count("books"), s=Sum("books__price")).get().n == 21
    assert m.Book.objects.aggregate(a=Avg("price"))["a"] is not None
    assert m.Book.objects.annotate(mth=TruncMonth("added")).values("mth").annotate(c=Count("id")).count() == 1
    assert m.Book.objects.annotate(r=Window(Rank(), order_by=models.F("price").desc())).first().r >= 1
    assert list(m.Book.objects.dates("added", "year"))


def subqueries():
    m = M()
    newest = m.Book.objects.filter(author=models.OuterRef("pk")).order_by("-id")
    assert m.Author.objects.annotate(t=models.Subquery(newest.values("title")[:1])).get().t == "T19"
    assert m.Author.objects.filter(models.Exists(newest)).count() == 1
    assert m.Book.objects.filter(pk__in=m.Book.objects.filter(price__lt=3)).union(m.Book.objects.filter(price__gt=18)).count() == 4
    list(m.Book.objects.select_related("author").prefetch_related("readers").iterator(chunk_size=5))


def transactions():
    m = M()
    try:
        with transaction.atomic():
            m.Author.objects.create(name="Bob")
            try:
                with transaction.atomic():
                    m.Author.objects.create(name="Ann")
            except IntegrityError as e:
                assert e.__cause__.pgcode == "23505"
            assert m.Author.objects.select_for_update().count() == 2
            raise KeyError
    except KeyError:
        pass
    assert m.Author.objects.count() == 1


def errors():
    m = M()
    raises("23514", lambda: m.Book.objects.create(author=m.Author.objects.get(), title="neg", price=-1))
    raises("22001", lambda: m.Author.objects.create(name="x" * 60))

    def orphan():
        with transaction.atomic():
            m.Book.objects.create(author_id=99999, title="orphan")
    raises("23503", orphan)


def introspection():
    with connection.cursor() as c:
        i = connection.introspection
        assert "shopapp_book" in i.table_names(c)
        cons = i.get_constraints(c, "shopapp_book")
        assert cons["one_title"]["unique"] and cons["price_positive"]["check"]
        assert any(k["foreign_key"] == ("shopapp_author", "id") for k in cons.values())
        assert i.get_primary_key_column(c, "shopapp_book") == "id"
        assert i.get_sequences(c, "shopapp_book")
        i.get_relations(c, "shopapp_book")
        i.get_table_description(c, "shopapp_book")
    import io
    out = io.StringIO()
    call_command("inspectdb", stdout=out)
    assert "class ShopappBook" in out.getvalue()


def change_models():
    with connection.schema_editor() as e:
        m = M()
        f = models.CharField(max_length=30, default="x")
        f.set_attributes_from_name("extra")
        e.add_field(m.Author, f)
        g = models.TextField(null=True)
        g.set_attributes_from_name("extra")
        g.model = m.Author
        f.model = m.Author
        e.alter_field(m.Author, f, g)
        e.remove_field(m.Author, g)


def flush():
    call_command("flush", interactive=False, verbosity=0)
    assert M().Author.objects.count() == 0
    M().Author.objects.create(name="again")


def unmigrate():
    call_command("migrate", "shopapp", "zero", verbosity=0)


if __name__ == "__main__":
    main("Django", django.__version__, [migrate, nothing_to_migrate, crud, aggregates, subqueries, transactions, errors, introspection, change_models, flush, unmigrate])
