// check runs the named checks one after the other and prints a line for each, in the
// form that server/clienttest reads: "ok NAME" or "not ok NAME: MESSAGE".
const assert = require('assert')

async function main(client, version, checks, done) {
  console.log(`# ${client} ${version}`)
  let failed = 0
  for (const [name, fn] of checks) {
    try {
      await fn()
      console.log(`ok ${name}`)
    } catch (e) {
      failed++
      console.log(`not ok ${name}: ${String(e.message || e).split('\n')[0]} ${e.code || ''} ${(e.stack || '').split('\n')[1] || ''}`)
    }
  }
  if (done) await done().catch((e) => console.log(`not ok close: ${e.message}`))
  process.exit(failed ? 1 : 0)
}

// rejects runs fn and requires the SQLSTATE.
async function rejects(code, fn) {
  try {
    await fn()
  } catch (e) {
    const got = e.code || (e.parent && e.parent.code) || (e.driverError && e.driverError.code)
    assert.strictEqual(got, code, e.message)
    return e
  }
  assert.fail(`no error, expected ${code}`)
}

// version of a package, whatever it exports.
const version = (name) => JSON.parse(require('fs').readFileSync(require('path').join(__dirname, 'node_modules', name, 'package.json'))).version

module.exports = { main, rejects, assert, version, url: process.env.DATABASE_URL }
