const axios = require("axios");
const https = require("https");

async function fetchProduct(req) {
  // ruleid: javascript.ssrf.url-request
  await fetch(req.body.url);
  // ruleid: javascript.ssrf.url-request
  await axios.get(`https://${req.query.host}/product`);
  // ruleid: javascript.ssrf.url-request
  https.get(req.query.url);
  // ok: javascript.ssrf.url-request
  await fetch("https://supplier.invalid/product?name=" + encodeURIComponent(req.query.name));
  // ok: javascript.ssrf.url-request
  await axios.post("https://supplier.invalid/product", req.body);
}

function login(req, res) {
  // ruleid: javascript.ssrf.open-redirect
  res.redirect(req.query.next);
  // ok: javascript.ssrf.open-redirect
  res.redirect("/orders");
}

function back() {
  const target = new URLSearchParams(location.search).get("from");
  // ruleid: javascript.ssrf.location-from-address
  location.href = target;
  // ok: javascript.ssrf.location-from-address
  location.href = "/search?q=" + encodeURIComponent(target);
}
