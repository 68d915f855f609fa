// Front page: find goods while typing.

import { element, json, show } from "./dom.js";
import { PAGE_SIZE } from "./settings.js";

const finder = document.querySelector("#finder");
const box = element("input", "", { placeholder: "Find while typing" });
const list = element("ul");

function matching(products, words) {
  const pattern = new RegExp(words, "i");
  return products.filter((product) => pattern.test(product.name)).slice(0, PAGE_SIZE);
}

const products = await json("/api/products");
box.addEventListener("input", () => {
  show(list, ...matching(products, box.value).map((product) => element("li", product.name)));
});
show(finder, box, list);
