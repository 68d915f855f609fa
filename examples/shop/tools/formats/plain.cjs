// One product per line.

exports.render = (products) => products.map((product) => `${product.name}\t${product.cents}\n`).join("");
