// pgjdbc: types, prepared statements (server-side after five uses), batches, fetch size,
// generated keys, metadata, COPY, errors, savepoints, time-outs.

import java.math.BigDecimal;
import java.sql.*;
import java.time.*;
import java.util.*;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;
import org.postgresql.util.PSQLException;

public class Jdbc {
    interface Check { void run() throws Exception; }

    static Connection c;
    static int failed;

    static void check(String name, Check k) {
        try {
            k.run();
            System.out.println("ok " + name);
        } catch (Throwable e) {
            failed++;
            StackTraceElement at = Arrays.stream(e.getStackTrace()).filter(s -> s.getClassName().startsWith("Jdbc")).findFirst().orElse(null);
            System.out.println("not ok " + name + ": " + String.valueOf(e).split("\n")[0] + " " + at);
        }
    }

    static void equal(Object want, Object got) {
        if (!Objects.equals(want, got)) throw new AssertionError(got + " instead of " + want);
    }

    static SQLException fails(String code, Check k) throws Exception {
        try {
            k.run();
        } catch (SQLException e) {
            equal(code, e.getSQLState());
            return e;
        }
        throw new AssertionError("no error, expected " + code);
    }

    static void exec(String sql) throws SQLException {
        try (Statement s = c.createStatement()) {
            s.execute(sql);
        }
    }

    public static void main(String[] args) throws Exception {
        String url = "jdbc:" + System.getenv("DATABASE_URL").replaceFirst("postgres://root@", "postgresql://") + "?user=root";
        c = DriverManager.getConnection(url);
        System.out.println("# pgjdbc " + c.getMetaData().getDriverVersion());

        check("types", () -> {
            exec("create table jd (id int generated always as identity primary key, n numeric(10,2), t text, a int[], j jsonb, u uuid, ts timestamptz, lt timestamp, d date, tm time, b bytea, ok boolean, f float8, big bigint)");
            UUID u = UUID.randomUUID();
            OffsetDateTime ts = OffsetDateTime.of(2024, 5, 6, 7, 8, 9, 123456000, ZoneOffset.UTC);
            for (int round = 0; round < 8; round++) { // binary results after five
                try (PreparedStatement p = c.prepareStatement("insert into jd (n, t, a, j, u, ts, lt, d, tm, b, ok, f, big) values (?,?,?,?::jsonb,?,?,?,?,?,?,?,?,?) returning *")) {
                    p.setBigDecimal(1, new BigDecimal("12.30"));
                    p.setString(2, "täxt");
                    p.setArray(3, c.createArrayOf("int4", new Integer[] {1, null, 3}));
                    p.setString(4, "{\"k\": [1]}");
                    p.setObject(5, u);
                    p.setObject(6, ts);
                    p.setObject(7, LocalDateTime.of(2020, 1, 1, 0, 0));
                    p.setObject(8, LocalDate.of(2024, 2, 29));
                    p.setObject(9, LocalTime.of(23, 59, 1));
                    p.setBytes(10, new byte[] {0, -1});
                    p.setBoolean(11, true);
                    p.setDouble(12, 2.5);
                    p.setLong(13, Long.MAX_VALUE);
                    ResultSet r = p.executeQuery();
                    r.next();
                    equal(new BigDecimal("12.30"), r.getBigDecimal("n"));
                    equal("täxt", r.getString("t"));
                    equal(Arrays.asList(1, null, 3), Arrays.asList((Integer[]) r.getArray("a").getArray()));
                    equal("{\"k\": [1]}", r.getString("j"));
                    equal(u, r.getObject("u"));
                    equal(ts.toInstant(), r.getObject("ts", OffsetDateTime.class).toInstant());
                    equal(LocalDate.of(2024, 2, 29), r.getObject("d", LocalDate.class));
                    equal(LocalTime.of(23, 59, 1), r.getObject("tm", LocalTime.class));
                    equal((byte) -1, r.getBytes("b")[1]);
                    equal(Long.MAX_VALUE, r.getLong("big"));
                }
            }
        });
        check("generated keys and batches", () -> {
            try (PreparedStatement p = c.prepareStatement("insert into jd (t) values (?)", Statement.RETURN_GENERATED_KEYS)) {
                for (int i = 0; i < 100; i++) {
                    p.setString(1, "batch");
                    p.addBatch();
                }
                equal(100, p.executeBatch().length);
                ResultSet k = p.getGeneratedKeys();
                int n = 0;
                while (k.next()) n++;
                equal(100, n);
            }
        });
        check("a failing batch", () -> {
            try (Statement s = c.createStatement()) {
                s.addBatch("insert into jd (t) values ('x')");
                s.addBatch("insert into jd (id) overriding system value values (1)");
                s.addBatch("insert into jd (t) values ('y')");
                fails("23505", s::executeBatch);
            }
        });
        check("fetch size", () -> {
            c.setAutoCommit(false);
            try (Statement s = c.createStatement()) {
                s.setFetchSize(10);
                ResultSet r = s.executeQuery("select generate_series(1, 95) as n");
                int sum = 0;
                while (r.next()) {
                    sum += r.getInt(1);
                    if (r.getInt(1) == 50) exec("update jd set t = 'between'");
                }
                equal(4560, sum);
            }
            c.rollback();
            c.setAutoCommit(true);
        });
        check("updatable result", () -> {
            try (Statement s = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE)) {
                ResultSet r = s.executeQuery("select id, t from jd where id = 1");
                r.next();
                r.updateString("t", "changed");
                r.updateRow();
            }
            try (Statement s = c.createStatement()) {
                ResultSet r = s.executeQuery("select t from jd where id = 1");
                r.next();
                equal("changed", r.getString(1));
            }
        });
        check("transactions and savepoints", () -> {
            c.setAutoCommit(false);
            c.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
            exec("insert into jd (t) values ('tx')");
            Savepoint sp = c.setSavepoint("Odd name");
            fails("22012", () -> exec("select 1/0"));
            fails("25P02", () -> exec("select 1"));
            c.rollback(sp);
            exec("select 1");
            c.rollback();
            c.setReadOnly(true);
            fails("25006", () -> exec("insert into jd (t) values ('ro')"));
            c.rollback();
            c.setReadOnly(false);
            c.setAutoCommit(true);
        });
        check("errors", () -> {
            SQLException e = fails("23505", () -> exec("insert into jd (id) overriding system value values (1)"));
            equal("jd_pkey", ((PSQLException) e).getServerErrorMessage().getConstraint());
            fails("42P01", () -> exec("select * from nosuch"));
            fails("42601", () -> exec("selec 1"));
        });
        check("query time-out", () -> {
            try (Statement s = c.createStatement()) {
                s.setQueryTimeout(1);
                fails("57014", () -> s.execute("select pg_sleep(10)"));
            }
        });
        check("change of a table under a prepared statement", () -> {
            exec("create table jd_change (a int)");
            try (PreparedStatement p = c.prepareStatement("select * from jd_change")) {
                for (int i = 0; i < 7; i++) p.executeQuery();
                exec("alter table jd_change add b text");
                equal(2, p.executeQuery().getMetaData().getColumnCount());
            }
        });
        check("copy", () -> {
            CopyManager m = ((PGConnection) c).getCopyAPI();
            equal(2L, m.copyIn("copy jd (t, big) from stdin", new java.io.StringReader("c1\t1\nc2\t\\N\n")));
            java.io.StringWriter w = new java.io.StringWriter();
            m.copyOut("copy (select t, big from jd where t like 'c_' order by t) to stdout with csv", w);
            equal("c1,1\nc2,\n", w.toString());
        });
        check("metadata", () -> {
            exec("create table jd_child (id int primary key, jd_id int references jd on delete cascade, name varchar(20) not null default 'x')");
            exec("create index jd_child_name on jd_child (name, id desc)");
            DatabaseMetaData d = c.getMetaData();
            equal("PostgreSQL", d.getDatabaseProductName());
            ResultSet r = d.getTables(null, "public", "jd%", new String[] {"TABLE"});
            int n = 0;
            while (r.next()) n++;
            equal(3, n);
            r = d.getColumns(null, "public", "jd_child", "%");
            r.next();
            r.next();
            r.next();
            equal("name", r.getString("COLUMN_NAME"));
            equal(20, r.getInt("COLUMN_SIZE"));
            equal("'x'::character varying", r.getString("COLUMN_DEF"));
            equal("NO", r.getString("IS_NULLABLE"));
            r = d.getPrimaryKeys(null, "public", "jd_child");
            r.next();
            equal("id", r.getString("COLUMN_NAME"));
            r = d.getImportedKeys(null, "public", "jd_child");
            r.next();
            equal("jd", r.getString("PKTABLE_NAME"));
            equal(DatabaseMetaData.importedKeyCascade, r.getInt("DELETE_RULE"));
            r = d.getExportedKeys(null, "public", "jd");
            equal(true, r.next());
            r = d.getIndexInfo(null, "public", "jd_child", false, false);
            n = 0;
            while (r.next()) n++;
            equal(3, n);
            for (Check k : new Check[] {d::getTypeInfo, d::getSchemas, d::getCatalogs, d::getTableTypes, () -> d.getProcedures(null, null, "up%"), () -> d.getFunctions(null, null, "up%"),
                () -> d.getTablePrivileges(null, "public", "jd"), () -> d.getColumnPrivileges(null, "public", "jd", "%"), () -> d.getBestRowIdentifier(null, "public", "jd", 0, false),
                d::getSQLKeywords, d::getClientInfoProperties, () -> d.getUDTs(null, null, "%", null), () -> d.getVersionColumns(null, "public", "jd")}) k.run();
            ResultSetMetaData m = c.prepareStatement("select id as x, t, n from jd").getMetaData();
            equal("x", m.getColumnLabel(1));
            equal("jd", ((org.postgresql.PGResultSetMetaData) m).getBaseTableName(1));
            equal(10, m.getPrecision(3));
            equal(true, m.isAutoIncrement(1));
        });
        check("parameter metadata", () -> {
            ParameterMetaData p = c.prepareStatement("select * from jd where id = ? and t like ? and big > ? limit ?").getParameterMetaData();
            equal("int4", p.getParameterTypeName(1));
            equal("text", p.getParameterTypeName(2));
            equal("int8", p.getParameterTypeName(3));
            equal("int8", p.getParameterTypeName(4));
        });
        c.close();
        System.exit(failed > 0 ? 1 : 0);
    }
}
