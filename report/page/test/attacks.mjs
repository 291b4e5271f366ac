// Fifty texts that try to be more than text, and a document that says nothing else.
const run = "window.__pwned=1";

export const attacks = [
  `</script><img src=x onerror="${run}">`,
  `<script>${run}</script>`,
  `</script><script>${run}</script>`,
  `</SCRIPT ><script>${run}</script>`,
  `<!--<script>${run}</script>-->`,
  `--><script>${run}</script>`,
  `<!--<script>`,
  `]]><script>${run}</script>`,
  `<svg onload=${run}>`,
  `<svg><script>${run}</script></svg>`,
  `<svg><animate onbegin=${run} attributeName=x dur=1s>`,
  `<svg><use href="data:image/svg+xml,<svg id=x onload=${run}/>#x">`,
  `<img src=x onerror=${run}>`,
  `<img src="http://localhost:9/a.png">`,
  `<image href=x onerror=${run}>`,
  `<body onload=${run}>`,
  `<iframe srcdoc="<script>parent.__pwned=1</script>">`,
  `<iframe src="javascript:parent.__pwned=1">`,
  `<object data="javascript:${run}">`,
  `<embed src="javascript:${run}">`,
  `<a href="javascript:${run}">x</a>`,
  `javascript:${run}`,
  `java\tscript:${run}`,
  `data:text/html,<script>${run}</script>`,
  `<math><mtext><style><img src=x onerror=${run}>`,
  `<details open ontoggle=${run}>`,
  `<input autofocus onfocus=${run}>`,
  `<video><source onerror=${run}></video>`,
  `<marquee onstart=${run}>`,
  `<form action="http://localhost:9/"><button autofocus>`,
  `<base href="http://localhost:9/">`,
  `<meta http-equiv=refresh content="0;url=http://localhost:9/">`,
  `<link rel=stylesheet href="http://localhost:9/a.css">`,
  `</style><style>*{display:none}</style>`,
  `</title><script>${run}</script>`,
  `</textarea><script>${run}</script>`,
  `</noscript><script>${run}</script>`,
  `<template><script>${run}</script></template>`,
  `" onmouseover="${run}" x="`,
  `' onmouseover='${run}' x='`,
  "`onmouseover=" + run + "`",
  `\${${run}}`,
  `{{constructor.constructor('${run}')()}}`,
  `'-(${run})-'`,
  `";${run};//`,
  `\\";${run};//`,
  `\u2028${run}\u2029`,
  `&lt;script&gt;${run}&lt;/script&gt;&#60;b&#62;`,
  `=HYPERLINK("http://localhost:9/","x")`,
  `url(javascript:${run}); expression(${run})`,
  `__proto__`,
];

// The document with an attack in place of every text but its format: one text becomes the same attack everywhere, so
// that names still lead to what they name. `turn` chooses which text becomes which attack.
export function poison(document, turn) {
  const known = new Map();
  const attack = (text) => {
    if (!known.has(text)) known.set(text, `${attacks[(known.size + turn) % attacks.length]} ${known.size}`);
    return known.get(text);
  };
  const walk = (value) => {
    if (typeof value === "string") return attack(value);
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value === "object" && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item)]));
    }
    return value;
  };
  const { format, ...rest } = document;
  const poisoned = { format, ...walk(rest) };
  // Records whose keys the page shows as they are.
  const trainings = (poisoned.parts ?? [poisoned]).map(({ training }) => training);
  for (const record of [poisoned.run?.machine, poisoned.run?.versions, ...trainings]) {
    if (record) record[attacks[turn]] = 1;
  }
  return poisoned;
}
