// TypeORM: synchronize (twice: the second time nothing may change), relations, migrations.
require('reflect-metadata')
const { DataSource, EntitySchema, In } = require('typeorm')
const { main, rejects, assert, version, url } = require('./harness')

const User = new EntitySchema({
  name: 'to_user', columns: {
    id: { type: 'int', primary: true, generated: true }, email: { type: 'varchar', length: 90, unique: true },
    kind: { type: 'enum', enum: ['a', 'b'], default: 'a' }, data: { type: 'jsonb', nullable: true }, tags: { type: 'text', array: true, default: () => "'{}'" },
    balance: { type: 'numeric', precision: 10, scale: 2, default: 0 }, created: { type: 'timestamptz', createDate: true }, active: { type: 'boolean', default: true },
    score: { type: 'double precision', default: 1.5 }, note: { type: 'varchar', default: 'none' },
  },
  relations: { posts: { type: 'one-to-many', target: 'to_post', inverseSide: 'user' } },
  indices: [{ columns: ['kind', 'email'] }], checks: [{ expression: '"balance" >= 0' }],
})
const Post = new EntitySchema({
  name: 'to_post', columns: { id: { type: 'uuid', primary: true, generated: 'uuid' }, title: { type: 'text' } },
  relations: { user: { type: 'many-to-one', target: 'to_user', inverseSide: 'posts', onDelete: 'CASCADE' }, tags: { type: 'many-to-many', target: 'to_tag', joinTable: true } },
})
const Tag = new EntitySchema({ name: 'to_tag', columns: { name: { type: 'varchar', primary: true } } })

const ds = new DataSource({ type: 'postgres', url, entities: [User, Post, Tag], uuidExtension: 'pgcrypto', installExtensions: false })
const users = () => ds.getRepository('to_user')

main('TypeORM', version('typeorm'), [
  ['connect', () => ds.initialize()],
  ['synchronize', () => ds.synchronize()],
  ['nothing to change', async () => {
    const log = await ds.driver.createSchemaBuilder().log()
    assert.deepStrictEqual(log.upQueries.map((q) => q.query), [])
  }],
  ['save and find', async () => {
    const u = await users().save({ email: 'a@b', data: { k: 1 }, tags: ['x'] })
    const again = await users().findOneBy({ id: u.id })
    assert.deepStrictEqual(again.tags, ['x'])
    assert.strictEqual(again.balance, '0.00')
    assert.strictEqual(again.note, 'none')
  }],
  ['relations', async () => {
    const u = await users().findOneBy({ email: 'a@b' })
    await ds.getRepository('to_post').save({ title: 't', user: u, tags: await ds.getRepository('to_tag').save([{ name: 'p' }, { name: 'q' }]) })
    const full = await users().find({ relations: { posts: { tags: true } }, where: { kind: In(['a', 'b']) }, order: { id: 'ASC' }, take: 10 })
    assert.strictEqual(full[0].posts[0].tags.length, 2)
  }],
  ['query builder', async () => {
    const r = await users().createQueryBuilder('u').leftJoin('u.posts', 'p').select('u.kind', 'kind').addSelect('count(p.id)', 'n').groupBy('u.kind').getRawMany()
    assert.deepStrictEqual(r, [{ kind: 'a', n: '1' }])
    await users().createQueryBuilder().insert().values({ email: 'a@b', note: 'up' }).orUpdate(['note'], ['email']).execute()
    assert.strictEqual((await users().findOneBy({ email: 'a@b' })).note, 'up')
  }],
  ['transaction', async () => {
    await ds.transaction('SERIALIZABLE', async (m) => {
      await m.getRepository('to_user').save({ email: 'c@d' })
      await m.getRepository('to_user').findOne({ where: { email: 'c@d' }, lock: { mode: 'pessimistic_write' } })
      throw new Error('back')
    }).catch((e) => assert.strictEqual(e.message, 'back'))
    assert.strictEqual(await users().count(), 1)
  }],
  ['errors', async () => {
    await rejects('23505', () => users().insert({ email: 'a@b' }))
    await rejects('23514', () => users().insert({ email: 'z', balance: -1 }))
    await rejects('22P02', () => users().insert({ email: 'z', kind: 'zzz' }))
  }],
  ['change of a column', async () => {
    const q = ds.createQueryRunner()
    const { TableColumn } = require('typeorm')
    await q.addColumn('to_tag', new TableColumn({ name: 'extra', type: 'int', default: 5 }))
    await q.renameColumn('to_tag', 'extra', 'more')
    const t = await q.getTable('to_tag')
    assert.ok(t.findColumnByName('more'))
    await q.dropColumn('to_tag', 'more')
    await q.release()
  }],
  ['drop', () => ds.dropDatabase()],
], () => ds.destroy())
