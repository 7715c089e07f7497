"""SQLAlchemy: metadata, reflection, ORM with relations, Core, transactions."""
import datetime
import enum
import uuid

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID, insert
from sqlalchemy.orm import Session, declarative_base, relationship, selectinload
from harness import URL, main, raises

engine = sa.create_engine(URL.replace("postgres://", "postgresql+psycopg2://"), future=True)
Base = declarative_base()


class Kind(enum.Enum):
    a = 1
    b = 2


class User(Base):
    __tablename__ = "sa_user"
    id = sa.Column(sa.Integer, primary_key=True)
    email = sa.Column(sa.String(80), nullable=False, unique=True)
    kind = sa.Column(sa.Enum(Kind, name="sa_kind"), default=Kind.a)
    data = sa.Column(JSONB)
    tags = sa.Column(ARRAY(sa.Text))
    token = sa.Column(UUID(as_uuid=True), default=uuid.uuid4)
    balance = sa.Column(sa.Numeric(10, 2), server_default="0")
    created = sa.Column(sa.DateTime(timezone=True), server_default=sa.func.now())
    posts = relationship("Post", back_populates="user", cascade="all, delete-orphan")
    __table_args__ = (sa.CheckConstraint("balance >= 0", name="sa_user_balance"), sa.Index("sa_user_lower", sa.func.lower(email)))


class Post(Base):
    __tablename__ = "sa_post"
    id = sa.Column(sa.BigInteger, sa.Identity(always=True, start=10), primary_key=True)
    user_id = sa.Column(sa.ForeignKey("sa_user.id", ondelete="CASCADE"))
    title = sa.Column(sa.Text, comment="the title")
    user = relationship("User", back_populates="posts")


def create_all():
    Base.metadata.create_all(engine)
    Base.metadata.create_all(engine)


def orm():
    with Session(engine) as s:
        u = User(email="a@b", data={"k": [1]}, tags=["x", "y"], posts=[Post(title="t1"), Post(title="t2")])
        s.add(u)
        s.commit()
        again = s.execute(sa.select(User).options(selectinload(User.posts)).where(User.email == "a@b")).scalar_one()
        assert [p.title for p in again.posts] == ["t1", "t2"] and again.posts[0].id == 10
        assert again.kind is Kind.a and again.tags == ["x", "y"] and again.data == {"k": [1]}
        assert again.created.tzinfo is not None


def queries():
    with Session(engine) as s:
        q = sa.select(User.email, sa.func.count(Post.id)).join(Post).group_by(User.email).having(sa.func.count() > 1)
        assert s.execute(q).all() == [("a@b", 2)]
        sub = sa.select(Post.title, sa.func.row_number().over(order_by=Post.id.desc()).label("n")).subquery()
        assert s.execute(sa.select(sub.c.title).where(sub.c.n == 1)).scalar() == "t2"
        assert s.execute(sa.select(User).where(User.tags.contains(["x"]), User.data["k"][0].astext == "1")).first()
        cte = sa.select(sa.literal(1).label("n")).cte(recursive=True)
        cte = cte.union_all(sa.select(cte.c.n + 1).where(cte.c.n < 5))
        assert s.execute(sa.select(sa.func.sum(cte.c.n))).scalar() == 15


def upsert():
    with engine.begin() as c:
        stmt = insert(User).values(email="a@b", kind=Kind.b)
        stmt = stmt.on_conflict_do_update(index_elements=["email"], set_={"kind": stmt.excluded.kind}).returning(User.kind)
        assert c.execute(stmt).scalar() is Kind.b


def savepoints():
    with Session(engine) as s:
        s.add(User(email="c@d"))
        s.flush()
        try:
            with s.begin_nested():
                s.add(User(email="a@b"))
                s.flush()
        except sa.exc.IntegrityError:
            pass
        s.commit()
        assert s.execute(sa.select(sa.func.count()).select_from(User)).scalar() == 2


def isolation():
    with engine.connect().execution_options(isolation_level="SERIALIZABLE") as c:
        assert c.execute(sa.text("show transaction isolation level")).scalar() == "serializable"
    with engine.connect().execution_options(postgresql_readonly=True) as c:
        raises("25006", lambda: c.execute(sa.text("delete from sa_user")))


def errors():
    with engine.connect() as c:
        raises("23505", lambda: c.execute(sa.insert(User).values(email="a@b")))
        c.rollback()
        raises("23514", lambda: c.execute(sa.insert(User).values(email="z", balance=-1)))
        c.rollback()
        raises("42P01", lambda: c.execute(sa.text("select * from nosuch")))


def reflection():
    i = sa.inspect(engine)
    assert set(i.get_table_names()) >= {"sa_user", "sa_post"}
    cols = {c["name"]: c for c in i.get_columns("sa_user")}
    assert isinstance(cols["email"]["type"], sa.String) and cols["email"]["type"].length == 80
    assert cols["kind"]["type"].enums == ["a", "b"]
    assert cols["balance"]["default"] == "'0'::numeric", cols["balance"]
    post = {c["name"]: c for c in i.get_columns("sa_post")}
    assert post["id"]["identity"]["always"] and post["id"]["identity"]["start"] == 10
    assert post["title"]["comment"] == "the title"
    fk = i.get_foreign_keys("sa_post")[0]
    assert fk["referred_table"] == "sa_user" and fk["options"] == {"ondelete": "CASCADE"}
    assert i.get_pk_constraint("sa_user")["name"] == "sa_user_pkey"
    assert i.get_unique_constraints("sa_user")[0]["column_names"] == ["email"]
    checks = i.get_check_constraints("sa_user")
    assert checks[0]["sqltext"] == "balance >= (0)::numeric", checks
    assert i.get_enums()[0]["labels"] == ["a", "b"]
    m = sa.MetaData()
    m.reflect(engine)
    assert "sa_post" in m.tables


def views():
    with engine.begin() as c:
        c.execute(sa.text("create view sa_view as select id, email from sa_user where balance >= 0"))
    i = sa.inspect(engine)
    assert i.get_view_names() == ["sa_view"]
    assert "FROM sa_user" in i.get_view_definition("sa_view")


def streaming():
    with engine.connect() as c:
        r = c.execution_options(stream_results=True, max_row_buffer=10).execute(sa.text("select generate_series(1, 95)"))
        assert sum(x[0] for x in r) == 4560


def drop_all():
    with engine.begin() as c:
        c.execute(sa.text("drop view sa_view"))
    Base.metadata.drop_all(engine)
    assert "sa_user" not in sa.inspect(engine).get_table_names()


if __name__ == "__main__":
    main("SQLAlchemy", sa.__version__, [create_all, orm, queries, upsert, savepoints, isolation, errors, reflection, views, streaming, drop_all])
