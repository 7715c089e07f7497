// Sequelize: sync, models with associations, CRUD, transactions, introspection.
const { Sequelize, DataTypes, Op } = require('sequelize')
const { main, rejects, assert, version, url } = require('./harness')
const s = new Sequelize(url, { logging: false })

const User = s.define('User', {
  email: { type: DataTypes.STRING(80), unique: true, allowNull: false },
  kind: { type: DataTypes.ENUM('admin', 'plain'), defaultValue: 'plain' },
  data: DataTypes.JSONB, tags: DataTypes.ARRAY(DataTypes.STRING), balance: DataTypes.DECIMAL(10, 2), uid: { type: DataTypes.UUID, defaultValue: DataTypes.UUIDV4 },
}, { tableName: 'sq_user', indexes: [{ fields: ['kind', 'email'] }] })
const Post = s.define('Post', { title: DataTypes.TEXT, at: DataTypes.DATE }, { tableName: 'sq_post', paranoid: true })
const Tag = s.define('Tag', { name: { type: DataTypes.STRING, primaryKey: true } }, { tableName: 'sq_tag', timestamps: false })
User.hasMany(Post, { foreignKey: 'userId', onDelete: 'CASCADE' })
Post.belongsTo(User, { foreignKey: 'userId' })
Post.belongsToMany(Tag, { through: 'sq_post_tag' })
Tag.belongsToMany(Post, { through: 'sq_post_tag' })

main('Sequelize', version('sequelize'), [
  ['authenticate', () => s.authenticate()],
  ['sync', () => s.sync({ force: true })],
  ['sync again', () => s.sync()],
  ['alter', () => s.sync({ alter: true })],
  ['create and find', async () => {
    const u = await User.create({ email: 'a@b', data: { x: [1] }, tags: ['p', 'q'], balance: '12.50' })
    const again = await User.findOne({ where: { email: 'a@b', data: { x: { [Op.contains]: [1] } } } }).catch(() => User.findOne({ where: { email: 'a@b' } }))
    assert.strictEqual(again.id, u.id)
    assert.deepStrictEqual(again.tags, ['p', 'q'])
    assert.strictEqual(again.balance, '12.50')
    assert.strictEqual(again.kind, 'plain')
  }],
  ['associations', async () => {
    const u = await User.findOne()
    const p = await u.createPost({ title: 't', at: new Date(5000) })
    await p.setTags(await Tag.bulkCreate([{ name: 'x' }, { name: 'y' }]))
    const full = await User.findAll({ include: [{ model: Post, include: [Tag] }], order: [['id', 'ASC']], limit: 5 })
    assert.strictEqual(full[0].Posts[0].Tags.length, 2)
    assert.strictEqual(full[0].Posts[0].at.getTime(), 5000)
  }],
  ['operators and aggregates', async () => {
    assert.strictEqual(await User.count({ where: { email: { [Op.iLike]: 'A%' }, kind: { [Op.in]: ['plain'] } } }), 1)
    assert.strictEqual(Number(await User.sum('balance')), 12.5)
    const r = await User.findAndCountAll({ where: { tags: { [Op.contains]: ['p'] } } })
    assert.strictEqual(r.count, 1)
  }],
  ['upsert and find or create', async () => {
    await User.upsert({ email: 'a@b', kind: 'admin' })
    assert.strictEqual((await User.findOne({ where: { email: 'a@b' } })).kind, 'admin')
    await User.bulkCreate([{ email: 'a@b', kind: 'plain' }, { email: 'c@d' }], { updateOnDuplicate: ['kind'] })
    assert.strictEqual(await User.count(), 2)
  }],
  ['transaction', async () => {
    await s.transaction(async (t) => {
      await User.create({ email: 'e@f' }, { transaction: t })
      await User.findAll({ lock: t.LOCK.UPDATE, transaction: t })
      throw new Error('back')
    }).catch((e) => assert.strictEqual(e.message, 'back'))
    assert.strictEqual(await User.count(), 2)
    await s.transaction({ isolationLevel: Sequelize.Transaction.ISOLATION_LEVELS.SERIALIZABLE }, (t) => User.create({ email: 'g@h' }, { transaction: t }))
  }],
  ['errors', async () => {
    await assert.rejects(User.create({ email: 'a@b' }), { name: 'SequelizeUniqueConstraintError' })
    await assert.rejects(Post.create({ userId: 9999 }), { name: 'SequelizeForeignKeyConstraintError' })
    await rejects('42P01', () => s.query('select * from nosuch'))
  }],
  ['introspect', async () => {
    const d = await s.getQueryInterface().describeTable('sq_user')
    assert.strictEqual(d.email.type, 'CHARACTER VARYING(80)')
    assert.deepStrictEqual(d.kind.special, ['admin', 'plain'])
    assert.ok(d.id.primaryKey)
    const idx = await s.getQueryInterface().showIndex('sq_user')
    assert.ok(idx.some((i) => i.fields.length === 2))
    const fks = await s.getQueryInterface().getForeignKeyReferencesForTable('sq_post')
    assert.strictEqual(fks[0].referencedTableName, 'sq_user')
    assert.ok((await s.getQueryInterface().showAllTables()).length >= 4)
  }],
  ['change columns', async () => {
    const q = s.getQueryInterface()
    await q.addColumn('sq_tag', 'extra', { type: DataTypes.INTEGER, defaultValue: 3 })
    await q.changeColumn('sq_tag', 'extra', { type: DataTypes.BIGINT })
    await q.renameColumn('sq_tag', 'extra', 'more')
    await q.addIndex('sq_tag', ['more'])
    await q.removeColumn('sq_tag', 'more')
  }],
  ['drop', () => s.query('drop table sq_post_tag, sq_tag, sq_post, sq_user')],
], () => s.close())
