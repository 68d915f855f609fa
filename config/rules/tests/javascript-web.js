const cors = require("cors");
const helmet = require("helmet");
const nunjucks = require("nunjucks");

function answer(req, res, app, token) {
  // ruleid: javascript.web.cors-any-origin
  res.setHeader("Access-Control-Allow-Origin", "*");
  // ruleid: javascript.web.cors-any-origin
  app.use(cors({ origin: "*" }));
  // ok: javascript.web.cors-any-origin
  app.use(cors({ origin: "https://shop.example" }));
  // ruleid: javascript.web.cookie-flags
  res.cookie("session", token);
  // ruleid: javascript.web.cookie-flags
  res.cookie("session", token, { httpOnly: true });
  // ruleid: javascript.web.cookie-flags
  res.cookie("session", token, { secure: false, httpOnly: true });
  // ok: javascript.web.cookie-flags
  res.cookie("session", token, { secure: true, httpOnly: true });
  // ruleid: javascript.web.helmet-part-off
  app.use(helmet({ contentSecurityPolicy: false }));
  // ok: javascript.web.helmet-part-off
  app.use(helmet());
  // ruleid: javascript.web.template-escape-off
  nunjucks.configure("views", { autoescape: false });
  // ok: javascript.web.template-escape-off
  nunjucks.configure("views", { autoescape: true });
}

function remember(token, colour) {
  // ruleid: javascript.web.cookie-from-script
  document.cookie = `token=${token}`;
  // ok: javascript.web.cookie-from-script
  document.cookie = `colour=${colour}`;
}
