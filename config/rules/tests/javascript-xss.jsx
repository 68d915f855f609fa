function page(element, text, range) {
  // ruleid: javascript.xss.inner-html
  element.innerHTML = text;
  // ruleid: javascript.xss.inner-html
  element.innerHTML += `<p>${text}</p>`;
  // ok: javascript.xss.inner-html
  element.innerHTML = "";
  // ok: javascript.xss.inner-html
  element.innerHTML = DOMPurify.sanitize(text);
  // ok: javascript.xss.inner-html
  element.textContent = text;
  // ruleid: javascript.xss.insert-html
  element.insertAdjacentHTML("beforeend", `<p>${text}</p>`);
  // ok: javascript.xss.insert-html
  element.insertAdjacentHTML("beforeend", "<hr>");
  // ruleid: javascript.xss.insert-html
  range.createContextualFragment(text);
  // ruleid: javascript.xss.document-write
  document.write("<p>" + text + "</p>");
  // ok: javascript.xss.document-write
  document.write("<hr>");
}

function jquery() {
  const words = new URLSearchParams(window.location.search).get("q");
  // ruleid: javascript.xss.jquery-html
  $("#words").html("You searched " + words);
  // ok: javascript.xss.jquery-html
  $("#words").text(words);
}

function Review({ text }) {
  // ruleid: javascript.xss.dangerously-set-inner-html
  const first = <p dangerouslySetInnerHTML={{ __html: text }} />;
  // ok: javascript.xss.dangerously-set-inner-html
  const second = <p dangerouslySetInnerHTML={{ __html: DOMPurify.sanitize(text) }} />;
  // ok: javascript.xss.dangerously-set-inner-html
  const third = <p>{text}</p>;
  return [first, second, third];
}

function answer(req, res) {
  // ruleid: javascript.xss.response-request
  res.send(`<h1>Hello ${req.query.name}</h1>`);
  // ok: javascript.xss.response-request
  res.send(`<h1>Hello ${escapeHtml(req.query.name)}</h1>`);
  // ok: javascript.xss.response-request
  res.json({ name: req.query.name });
}

// ruleid: javascript.xss.message-without-origin
window.addEventListener("message", (event) => {
  document.title = event.data;
});

// ok: javascript.xss.message-without-origin
window.addEventListener("message", (event) => {
  if (event.origin !== "https://shop.example") {
    return;
  }
  document.title = event.data;
});

// ruleid: javascript.xss.post-message-any-origin
window.parent.postMessage({ ready: true }, "*");
// ok: javascript.xss.post-message-any-origin
window.parent.postMessage({ ready: true }, "https://shop.example");
