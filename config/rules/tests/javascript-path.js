const fs = require("fs");
const path = require("path");

function image(req, res) {
  const name = path.join("/srv/images", req.query.file);
  // ruleid: javascript.path.file-request
  fs.readFile(name, (error, content) => res.end(content));
  // ruleid: javascript.path.file-request
  fs.createReadStream(`/srv/images/${req.params.name}`).pipe(res);
  // ruleid: javascript.path.file-request
  res.sendFile("/srv/images/" + req.params.name);
  // ok: javascript.path.file-request
  res.sendFile(req.params.name, { root: "/srv/images" });
  // ok: javascript.path.file-request
  fs.readFileSync(path.join("/srv/images", path.basename(req.query.file)));
}

function unpack(entry, content) {
  // ruleid: javascript.path.zip-entry
  fs.writeFileSync(path.join("/srv/unpacked", entry.fileName), content);
  // ok: javascript.path.zip-entry
  fs.writeFileSync(path.join("/srv/unpacked", path.basename(entry.fileName)), content);
}
