// What Sequelize and Knex write in a usual call that is refused by default, and the exceptions: docs/frameworks.md.
import knexOf from "knex";
import pg from "pg";
import { DataTypes, Sequelize } from "sequelize";

const { PGHOST: host, PGPORT: port, PGUSER: user, PGDATABASE: database } = process.env;
const admin = new pg.Client({ host, port: Number(port), user: "postgres", database });
await admin.connect();

async function run(name, what) {
  try {
    await what();
    console.log(`${name}: through`);
  } catch (error) {
    const below = error.parent ?? error;
    const told = [below.detail, below.hint].filter(Boolean).length;
    console.log(`${name}: ${error.name} ${below.code}, ${told} of DETAIL and HINT`);
  }
}
const declared = (table, policy) => admin.query("SELECT safedelete.set_policy($1::text::regclass, $2)", [table, policy]);

const sequelize = new Sequelize({ dialect: "postgres", host, port: Number(port), username: user, database, logging: false });
const Shop = sequelize.define("shop", { name: DataTypes.TEXT }, { timestamps: false, tableName: "shops" });
const Product = sequelize.define("product", { name: DataTypes.TEXT }, { paranoid: true, tableName: "products" });
Shop.hasMany(Product);
await sequelize.sync();
const shop = await Shop.create({ name: "a" });
await Product.bulkCreate(Array.from({ length: 3200 }, () => ({ name: "x", shopId: shop.id })));
const queries = sequelize.getQueryInterface();
await run("sequelize: destroy without where", () => Product.destroy({ where: {}, force: true }));
await run("sequelize: setProducts([])", () => shop.setProducts([]));
await admin.query(`UPDATE products SET "deletedAt" = now() WHERE id <= 1500`);
await admin.query(`UPDATE products SET "deletedAt" = now() WHERE id > 1500 AND id <= 3000`);
await run("sequelize: restore", () => Product.restore());
await run("sequelize: seeder's bulkDelete", () => queries.bulkDelete("products", null));
await run("sequelize: truncate", () => Product.truncate({ force: true }));
await declared("products", '{"max_fraction": 1}');
await run("sequelize: setProducts([]), declared", () => shop.setProducts([]));
await sequelize.transaction(async (transaction) => {
  await sequelize.query("SELECT set_config('safedelete.allow_rows', '-1', true)", { transaction });
  await run("sequelize: restore, declared", () => Product.restore({ transaction }));
  await run("sequelize: seeder's bulkDelete, declared", () => queries.bulkDelete("products", null, { transaction }));
});
await sequelize.close();

const knex = knexOf({ client: "pg", connection: { host, port: Number(port), user, database } });
await knex.schema.createTable("items", (t) => { t.increments(); t.text("name"); });
await knex.batchInsert("items", Array.from({ length: 3200 }, () => ({ name: "x" })));
await run("knex: del", () => knex("items").del());
await run("knex: del of most", () => knex("items").where("id", "<=", 3000).del());
await run("knex: truncate", () => knex("items").truncate());
const source = {
  getMigrations: async () => ["one"],
  getMigrationName: (name) => name,
  getMigration: async () => ({ up: (k) => k.schema.createTable("more", (t) => { t.increments(); }), down: async () => {} }),
};
// Its lock has no WHERE, which exempt_tables allows.
await run("knex: migrate", () => knex.migrate.latest({ migrationSource: source }));
await run("knex: migrate:unlock", () => knex.migrate.forceFreeMigrationsLock({ migrationSource: source }));
await knex.transaction(async (transaction) => {
  await transaction.raw("SELECT set_config('safedelete.allow_rows', '3200', true)");
  await run("knex: del, declared", () => transaction("items").del());
});
await knex.destroy();
await admin.end();
