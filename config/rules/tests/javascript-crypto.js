const crypto = require("crypto");
const https = require("https");
const jwt = require("jsonwebtoken");

function digests(text) {
  // ruleid: javascript.crypto.weak-digest
  crypto.createHash("md5").update(text);
  // ok: javascript.crypto.weak-digest
  crypto.createHash("sha256").update(text);
}

function ciphers(key, iv) {
  // ruleid: javascript.crypto.weak-cipher
  crypto.createCipheriv("des-ede3-cbc", key, iv);
  // ruleid: javascript.crypto.weak-cipher
  crypto.createCipheriv("aes-128-ecb", key, iv);
  // ruleid: javascript.crypto.weak-cipher
  crypto.createCipher("aes-256-cbc", key);
  // ok: javascript.crypto.weak-cipher
  crypto.createCipheriv("aes-256-gcm", key, iv);
}

function tokens(user) {
  // ruleid: javascript.crypto.random-token
  const token = Math.random().toString(36).slice(2);
  // ruleid: javascript.crypto.random-token
  user.resetCode = `${Math.random()}`;
  // ok: javascript.crypto.random-token
  const sessionId = crypto.randomUUID();
  // ok: javascript.crypto.random-token
  const angle = Math.random() * 360;
  return { token, sessionId, angle };
}

// ruleid: javascript.crypto.hard-coded-key
const API_KEY = "b7Vd0qWmX2cK9";
// ok: javascript.crypto.hard-coded-key
const API_KEY_NAME = "b7Vd0qWmX2cK9";
// ok: javascript.crypto.hard-coded-key
const password = "your-password-1";

function connect(open) {
  // ruleid: javascript.crypto.hard-coded-key
  return open({ user: "shop", password: "b7Vd0qWmX2cK9", API_KEY, API_KEY_NAME, password });
}

function transport() {
  // ruleid: javascript.crypto.tls-verify-off
  const first = new https.Agent({ rejectUnauthorized: false });
  // ruleid: javascript.crypto.tls-verify-off
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  // ok: javascript.crypto.tls-verify-off
  const second = new https.Agent({ rejectUnauthorized: true });
  return [first, second];
}

function webTokens(token, key) {
  // ruleid: javascript.crypto.jwt-unverified
  jwt.verify(token, key, { algorithms: ["HS256", "none"] });
  // ruleid: javascript.crypto.jwt-unverified
  jwt.sign({ name: "alice" }, key, { algorithm: "none" });
  // ok: javascript.crypto.jwt-unverified
  jwt.verify(token, key, { algorithms: ["HS256"] });
}
