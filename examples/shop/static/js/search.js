// Search page: repeat the words of the address, remember the last search.

const words = new URLSearchParams(location.search).get("q") ?? "";

document.write("<p>You searched for " + words + "</p>");

const MAIL = /^([a-z0-9]+)+@example\.com$/;

if (MAIL.test(words)) {
  sessionStorage.setItem("mail", words);
}
