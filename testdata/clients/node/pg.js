// node-postgres: simple and extended queries, types, errors, transactions, cursors, pool.
const { Client, Pool } = require('pg')
const Cursor = require('pg-cursor')
const { main, rejects, assert, version, url } = require('./harness')

const client = new Client({ connectionString: url, application_name: 'node-pg' })
const one = async (text, values) => (await client.query(text, values)).rows[0]

main('node-postgres', version('pg'), [
  ['connect', async () => client.connect()],
  ['parameters', async () => assert.deepStrictEqual(await one('select $1::int as a, $2::text as b, $3::bool as c', [1, 'x', true]), { a: 1, b: 'x', c: true })],
  ['inferred types', async () => {
    await client.query('create table np (id serial primary key, n numeric(10,2), t text[], j jsonb, u uuid, ts timestamptz, d date, b bytea, big bigint)')
    const ts = new Date('2024-05-06T07:08:09.123Z')
    const row = await one('insert into np (n, t, j, u, ts, d, b, big) values ($1,$2,$3,$4,$5,$6,$7,$8) returning *',
      ['12.34', ['a', 'b,"c'], { k: [1, null] }, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', ts, '2024-02-29', Buffer.from([0, 255]), '9007199254740993'])
    assert.strictEqual(row.id, 1)
    assert.strictEqual(row.n, '12.34')
    assert.deepStrictEqual(row.t, ['a', 'b,"c'])
    assert.deepStrictEqual(row.j, { k: [1, null] })
    assert.strictEqual(row.ts.getTime(), ts.getTime())
    assert.deepStrictEqual(row.b, Buffer.from([0, 255]))
    assert.strictEqual(row.big, '9007199254740993')
  }],
  ['prepared by name', async () => {
    for (let i = 0; i < 3; i++) {
      const r = await client.query({ name: 'add', text: 'select $1::int + 1 as n', values: [i] })
      assert.strictEqual(r.rows[0].n, i + 1)
    }
  }],
  ['several statements', async () => {
    const r = await client.query('select 1 as a; select 2 as b')
    assert.deepStrictEqual(r.map((x) => x.rows), [[{ a: 1 }], [{ b: 2 }]])
  }],
  ['errors', async () => {
    const e = await rejects('23505', () => client.query('insert into np (id) values (1)'))
    assert.strictEqual(e.constraint, 'np_pkey')
    assert.strictEqual(e.table, 'np')
    assert.strictEqual(e.detail, 'Key (id)=(1) already exists.')
    const u = await rejects('42703', () => client.query('select nosuch from np'))
    assert.strictEqual(u.position, '8')
    await rejects('22P02', () => client.query('select $1::int', ['x']))
  }],
  ['transaction and savepoint', async () => {
    await client.query('begin')
    await client.query('insert into np (n) values (1)')
    await client.query('savepoint s')
    await rejects('22012', () => client.query('select 1/0'))
    await rejects('25P02', () => client.query('select 1'))
    await client.query('rollback to savepoint s')
    await client.query('commit')
    assert.strictEqual((await one('select count(*)::int as c from np')).c, 2)
  }],
  ['cursor', async () => {
    const cursor = client.query(new Cursor('select generate_series(1, 10) as n'))
    assert.strictEqual((await cursor.read(4)).length, 4)
    assert.strictEqual((await cursor.read(4)).length, 4)
    assert.strictEqual((await cursor.read(4)).length, 2)
    await cursor.close()
  }],
  ['time-out', async () => {
    await client.query("set statement_timeout = '50ms'")
    await rejects('57014', () => client.query('select pg_sleep(5)'))
    await client.query('reset statement_timeout')
  }],
  ['pool', async () => {
    const pool = new Pool({ connectionString: url, max: 5 })
    const rows = await Promise.all(Array.from({ length: 50 }, (_, i) => pool.query('select $1::int as n', [i])))
    assert.strictEqual(rows.reduce((s, r) => s + r.rows[0].n, 0), 1225)
    await pool.end()
  }],
], () => client.end())
