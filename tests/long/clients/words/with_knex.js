// The example of docs/declare.md for Knex: with customers of 20 rows and of 60.
const { execFileSync } = require('node:child_process')
const knex = require('knex')({ client: 'pg', connection: { host: process.env.PGHOST, database: process.argv[3] } })
const example = execFileSync('python3', [`${__dirname}/sections.py`, process.argv[2], 'Knex', 'js']).toString()
const run = (text) => new Function('knex', `return (async () => { ${text} })()`)(knex)

async function main() {
  await run(example)
  console.log('left', (await knex('orders').where('customer_id', 42)).length)
  await run(example.replace('42', '43')).catch((error) => console.log(error.code, error.message.split(' - ').pop()))
}

main().finally(() => knex.destroy())
