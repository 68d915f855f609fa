const serialize = require("node-serialize");
const vm = require("vm");
const yaml = require("js-yaml");
const v8 = require("v8");

function read(text) {
  // ruleid: javascript.deserialisation.functions
  const first = serialize.unserialize(text);
  // ruleid: javascript.deserialisation.functions
  const second = v8.deserialize(text);
  // ok: javascript.deserialisation.functions
  const third = JSON.parse(text);
  // ruleid: javascript.deserialisation.yaml-unsafe
  const fourth = yaml.load(text, { schema: yaml.DEFAULT_FULL_SCHEMA });
  // ok: javascript.deserialisation.yaml-unsafe
  const fifth = yaml.load(text);
  // ruleid: javascript.deserialisation.vm-code
  const sixth = vm.runInNewContext(text);
  // ok: javascript.deserialisation.vm-code
  const seventh = vm.runInNewContext("1 + 1");
  return [first, second, third, fourth, fifth, sixth, seventh];
}
