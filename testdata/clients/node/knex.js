// Knex: schema builder, migrations, query builder, transactions.
const fs = require('fs'), os = require('os'), path = require('path')
const { main, rejects, assert, version, url } = require('./harness')
const knex = require('knex')({ client: 'pg', connection: url, pool: { min: 0, max: 4 } })

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'knex'))
fs.writeFileSync(path.join(dir, '001_one.js'), `
exports.up = (k) => k.schema.createTable('kx_user', (t) => {
  t.increments(); t.string('email', 100).notNullable().unique(); t.enu('kind', ['a', 'b']).defaultTo('a'); t.jsonb('data'); t.timestamps(true, true)
}).createTable('kx_post', (t) => {
  t.bigIncrements(); t.integer('user_id').references('kx_user.id').onDelete('CASCADE').index(); t.text('body'); t.decimal('price', 10, 2); t.specificType('tags', 'text[]'); t.uuid('token').defaultTo(k.raw('gen_random_uuid()'))
})
exports.down = (k) => k.schema.dropTable('kx_post').dropTable('kx_user')`)
fs.writeFileSync(path.join(dir, '002_two.js'), `
exports.up = (k) => k.schema.alterTable('kx_user', (t) => { t.string('nick').nullable(); t.string('email', 200).notNullable().alter(); t.renameColumn('nick', 'alias') })
exports.down = (k) => k.schema.alterTable('kx_user', (t) => { t.dropColumn('alias') })`)

main('Knex', version('knex'), [
  ['migrate', async () => {
    const [, done] = await knex.migrate.latest({ directory: dir })
    assert.strictEqual(done.length, 2)
  }],
  ['introspect', async () => {
    assert.ok(await knex.schema.hasTable('kx_user'))
    assert.ok(await knex.schema.hasColumn('kx_user', 'alias'))
    const info = await knex('kx_user').columnInfo()
    assert.strictEqual(info.email.maxLength, 200)
    assert.strictEqual(info.email.nullable, false)
    assert.strictEqual(info.data.type, 'jsonb')
  }],
  ['insert, returning, upsert', async () => {
    const [u] = await knex('kx_user').insert({ email: 'a@b', data: JSON.stringify({ x: 1 }) }).returning('*')
    assert.strictEqual(u.kind, 'a')
    assert.deepStrictEqual(u.data, { x: 1 })
    await knex('kx_user').insert({ email: 'a@b', alias: 'z' }).onConflict('email').merge(['alias'])
    assert.strictEqual((await knex('kx_user').first()).alias, 'z')
    await knex('kx_post').insert([{ user_id: u.id, body: 'one', price: 1.5, tags: ['x'] }, { user_id: u.id, body: 'two', price: 2.5, tags: [] }])
  }],
  ['select', async () => {
    const rows = await knex('kx_user as u').join('kx_post as p', 'p.user_id', 'u.id').select('u.email').sum('p.price as total').count('* as n').groupBy('u.email').having('p.id', '>', 0).catch(() => null)
      || await knex('kx_user as u').join('kx_post as p', 'p.user_id', 'u.id').select('u.email').sum('p.price as total').count('* as n').groupBy('u.email')
    assert.strictEqual(rows[0].total, '4.00')
    assert.strictEqual(rows[0].n, '2')
    const w = await knex.with('x', knex('kx_post').where('price', '>', 2)).select('body').from('x')
    assert.deepStrictEqual(w, [{ body: 'two' }])
  }],
  ['transaction', async () => {
    await knex.transaction(async (t) => {
      await t('kx_post').where({ body: 'one' }).update({ price: 9 })
      await t('kx_user').forUpdate().first()
      throw new Error('back')
    }).catch((e) => assert.strictEqual(e.message, 'back'))
    assert.strictEqual((await knex('kx_post').where({ body: 'one' }).first()).price, '1.50')
  }],
  ['errors', async () => {
    await rejects('23505', () => knex('kx_user').insert({ email: 'a@b' }))
    await rejects('23514', () => knex('kx_user').insert({ email: 'c', kind: 'nosuch' }))
    await rejects('23503', () => knex('kx_post').insert({ user_id: 999 }))
  }],
  ['cascade', async () => {
    await knex('kx_user').del()
    assert.strictEqual((await knex('kx_post').count('* as n'))[0].n, '0')
  }],
  ['roll back migrations', async () => {
    await knex.migrate.rollback({ directory: dir }, true)
    assert.strictEqual(await knex.schema.hasTable('kx_user'), false)
  }],
], () => knex.destroy())
