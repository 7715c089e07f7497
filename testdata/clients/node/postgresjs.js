// postgres.js: prepared statements by default, pipelining, arrays, transactions, cursors, COPY.
const postgres = require('postgres')
const { main, rejects, assert, version, url } = require('./harness')

const sql = postgres(url, { max: 3, onnotice() {} })

main('postgres.js', version('postgres'), [
  ['connect', async () => assert.strictEqual((await sql`select 1 as x`)[0].x, 1)],
  ['create and insert helper', async () => {
    await sql`create table pj (id int generated always as identity primary key, name text unique, tags text[], data jsonb, at timestamptz, big bigint)`
    const rows = [{ name: 'a', tags: ['x', 'y'], data: { n: 1 }, at: new Date(0), big: '1' }, { name: 'b', tags: [], data: null, at: new Date(1000), big: '2' }]
    const out = await sql`insert into pj ${sql(rows, 'name', 'tags', 'data', 'at', 'big')} returning *`
    assert.strictEqual(out.length, 2)
    assert.deepStrictEqual([...out[0].tags], ['x', 'y'])
    assert.deepStrictEqual(out[0].data, { n: 1 })
    assert.strictEqual(out[1].at.getTime(), 1000)
  }],
  ['arrays and in', async () => {
    assert.strictEqual((await sql`select * from pj where name = any(${['a', 'b']})`).length, 2)
    assert.strictEqual((await sql`select * from pj where name in ${sql(['a', 'z'])}`).length, 1)
  }],
  ['update helper', async () => {
    const out = await sql`update pj set ${sql({ name: 'c', big: '5' }, 'name', 'big')} where id = 2 returning name`
    assert.strictEqual(out[0].name, 'c')
  }],
  ['pipelined', async () => {
    const all = await Promise.all(Array.from({ length: 30 }, (_, i) => sql`select ${i}::int as n`))
    assert.strictEqual(all.reduce((s, r) => s + r[0].n, 0), 435)
  }],
  ['transaction, savepoint', async () => {
    await sql.begin(async (tx) => {
      await tx`insert into pj (name) values ('t')`
      await tx.savepoint(async (sp) => {
        await sp`insert into pj (name) values ('a')`
      }).catch((e) => assert.strictEqual(e.code, '23505'))
      await tx`insert into pj (name) values ('u')`
    })
    assert.strictEqual((await sql`select count(*)::int as c from pj`)[0].c, 4)
  }],
  ['errors', async () => {
    const e = await rejects('23505', () => sql`insert into pj (name) values ('a')`)
    assert.strictEqual(e.constraint_name, 'pj_name_key')
    await rejects('42P01', () => sql`select * from nosuch`)
  }],
  ['cursor', async () => {
    let n = 0
    await sql`select generate_series(1, 95) as x`.cursor(10, (rows) => { n += rows.length })
    assert.strictEqual(n, 95)
  }],
  ['describe', async () => {
    const d = await sql`select id, name from pj where id = ${1}`.describe()
    assert.deepStrictEqual(d.types, [23])
    assert.deepStrictEqual(d.columns.map((c) => c.name), ['id', 'name'])
  }],
  ['cancel', async () => {
    const q = sql`select pg_sleep(5)`.execute()
    setTimeout(() => q.cancel(), 100)
    await rejects('57014', () => q)
  }],
  ['copy', async () => {
    const { pipeline } = require('stream/promises')
    const { Readable } = require('stream')
    const w = await sql`copy pj (name, big) from stdin`.writable()
    await pipeline(Readable.from(['k\t10\n', 'l\t11\n']), w)
    assert.strictEqual((await sql`select sum(big)::int as s from pj where name in ('k', 'l')`)[0].s, 21)
  }],
], () => sql.end({ timeout: 5 }))
