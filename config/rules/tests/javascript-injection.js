const childProcess = require("node:child_process");
const vm = require("vm");

function sql(req, database, table) {
  // ruleid: javascript.injection.sql-request, javascript.injection.sql-template
  database.query(`SELECT * FROM users WHERE id = ${req.query.id}`);
  // ruleid: javascript.injection.sql-request, javascript.injection.sql-template
  database.query("DELETE FROM users WHERE name = '" + req.body.name + "'");
  // ruleid: javascript.injection.sql-template
  database.all(`SELECT * FROM ${table}`);
  // ok: javascript.injection.sql-request, javascript.injection.sql-template
  database.query("SELECT * FROM users WHERE id = $1", [req.query.id]);
  // ok: javascript.injection.sql-request
  // ruleid: javascript.injection.sql-template
  database.query("SELECT * FROM users LIMIT " + Number(req.query.limit));
}

function command(req, name) {
  // ruleid: javascript.injection.command-request, javascript.injection.shell-template
  childProcess.exec(`ping ${req.query.host}`);
  // ruleid: javascript.injection.shell-template
  childProcess.execSync("ls " + name);
  // ok: javascript.injection.command-request, javascript.injection.shell-template
  childProcess.execFile("ping", [req.query.host]);
  // ok: javascript.injection.shell-template, javascript.injection.command-request
  /[a-z]+/.exec(`text ${req.query.host}`);
}

function code(req, text) {
  // ruleid: javascript.injection.code-request, javascript.injection.eval
  eval(req.body.rule);
  // ruleid: javascript.injection.code-request, javascript.deserialisation.vm-code
  vm.runInNewContext(req.body.rule);
  // ruleid: javascript.injection.eval
  new Function("a", text);
  // ruleid: javascript.injection.eval
  setTimeout("run(" + text + ")", 10);
  // ruleid: javascript.injection.eval
  Function("a", "return " + text)(1);
  // ok: javascript.injection.eval
  Function("return this")();
  // ok: javascript.injection.eval
  setTimeout(() => text, 10);
  // ok: javascript.injection.eval, javascript.injection.code-request
  JSON.parse(req.body.rule);
}

function nosql(req, users) {
  // ruleid: javascript.injection.nosql-request
  users.findOne({ name: req.body.name });
  // ruleid: javascript.injection.nosql-request
  users.deleteMany(req.query);
  // ok: javascript.injection.nosql-request
  users.findOne({ name: String(req.body.name) });
}

function pattern(req, words, names) {
  // ruleid: javascript.injection.regex-argument
  const first = new RegExp(words, "i");
  // ruleid: javascript.injection.regex-request
  const second = new RegExp(req.query.q);
  // ok: javascript.injection.regex-argument, javascript.injection.regex-request
  const third = new RegExp("[a-z]+");
  // ok: javascript.injection.regex-argument
  const fourth = new RegExp(names.join("|"));
  return [first, second, third, fourth];
}

function merge(target, source) {
  // ruleid: javascript.injection.prototype-pollution
  for (const key in source) {
    target[key] = source[key];
  }
  return target;
}

function mergeSafely(target, source) {
  // ok: javascript.injection.prototype-pollution
  for (const key in source) {
    if (key === "__proto__") {
      continue;
    }
    target[key] = source[key];
  }
  return target;
}

function profile(req, user) {
  // ruleid: javascript.injection.mass-assignment
  Object.assign(user, req.body);
  // ok: javascript.injection.mass-assignment
  Object.assign(user, { name: user.name });
}
