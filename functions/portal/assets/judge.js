// Judge looks at a key file in the browser, before anything of it is sent, by the rules of
// package ingest, those for the columns of a .csv file too. It runs as a worker, and a test runs it
// beside ingest: what the two say of a file must be the same.

const maxLine = 2048; // bytes of UTF-8, as pool.MaxKey
const inspected = 64 << 10; // bytes that are looked at for more than keys
const headSize = 4 << 10;
const mostRepeats = 2e6; // lines that are remembered to find repeats
const mostRow = 256 << 10; // bytes of a row of a table
const keptLines = 100; // refused lines that are named
const shapesSeen = 10_000; // keys that the common shape is found by
const oddKept = 10; // lines of another shape that are named

const SP = "[\\t\\n\\f\\r ]"; // \s and \S of Go's expressions know ASCII alone
const NS = "[^\\t\\n\\f\\r ]";
const re = (text, flags = "u") => new RegExp(text.replaceAll("\\s", SP).replaceAll("\\S", NS), flags);
const edge = "\\p{White_Space}\\uFEFF\\u200B-\\u200F\\u2060\\x1A";
const around = new RegExp(`^[${edge}]+|[${edge}]+$`, "gu");
const trim = (text) => text.replace(around, "");
const plain = /^\t*[ -~]*\t*$/;
const utf8 = new TextEncoder();

const jsonStart = re(String.raw`^\s*[\[\{][\t\n\f\r \[\{]*(?:"(?:[^"\\\r\n]|\\[^\n])*"|'(?:[^'\\\r\n]|\\[^\n])*')\s*[:,\]\}]`);
const tagStart = re(String.raw`^\s*<[!?\/]?[A-Za-z\-]`);
const tag = re(String.raw`<\/?(?:html|head|body|table|thead|tbody|tr|td|th|div|span|br|hr|ul|ol|li|pre|code|em|strong|font|center|title|meta|script|style|h[1-6]|img)(?:\s[^<>]*)?\/?>|^<\/?[abip](?:\s[^<>]*)?>|<[a-z][0-9A-Za-z_.:\-]*(?:\s[^<>]*)?>[^<>]*<\/[a-z]|^<(?:!--|!doctype\s|!\[cdata\[|\?xml\s)`, "ui");
const titleWords = /^(?:\p{Lu}?\p{Ll}+|\p{L}+(?: \p{L}+)+)$/u;
const commentMark = re(String.raw`^(?:#+|\/\/+|--|;+|\/\*+)\s`);
const commentWords = re(String.raw`^(?:#|\/\/|;)\p{L}\S*(?:\s+\S+){2}`);
const ruler = /^(?:-{3,}|={3,}|\*{3,}|#{3,}|_{3,}|~{3,})(?:[^\n]*(?:-{3,}|={3,}|\*{3,}|#{3,}|_{3,}|~{3,}))?$/u; // a cell may have lines
const numberMark = re(String.raw`^([(\[#]?)([0-9]{1,9})(\s*)([.):\]=、．,;|\-]{0,2})(\s*)([^\n]*)$`);
const bullet = re(String.raw`^([\-*•·–>])\s+([^\n]*)$`);
const typographic = /[‐‑‒–—―−‘’‚‛“”„‟‹›«»]/u;
const noBreak = /[\u00A0\u2007\u202F]/u;
const closing = { '"': '"', "'": "'", "`": "`'", "“": "”", "„": "“”", "‘": "’", "‚": "‘’", "«": "»", "»": "«", "‹": "›", "›": "‹", "”": "”" };

const blanks = /(?:[\t-\r ]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80)*/y; // as bytes of UTF-8
const excel = re(String.raw`^sep=([,;|\t])\s*[\r\n]`, "ui");
const keyNames = new Set(["key", "keys", "license", "licence", "license key", "licence key", "code", "serial"]);

const setOf = (words) => new Set(words.split(/\s+/));
export const nouns = setOf(`key keys code codes license licenses licence licences serial serials voucher vouchers coupon coupons token tokens
pin pins cdkey cdkeys licensekey licensekeys licencekey productkey productkeys activationkey activationcode serialnumber
serialkey steamkey steamkeys gamekey gamekeys keycode keycodes giftcode vouchercode couponcode promocode
schlüssel lizenz lizenzen lizenzschlüssel produktschlüssel aktivierungsschlüssel lizenzcode aktivierungscode freischaltcode
gutscheincode seriennummer seriennummern clé clés cle cles clave claves licencia licencias código códigos codigo codigos
chave chaves licença licenças chiave chiavi licenza licenze codice codici seriale sleutel sleutels licentie licentiesleutel
licentiecode nyckel nycklar licensnyckel nøgle nøgler licensnøgle nøkkel klucz klucze kod kody licencja klíč klíče kulcs
kulcsok anahtar anahtarı lisans avain avaimet ключ ключи код коды лицензия
キー ライセンスキー プロダクトキー シリアル シリアルキー シリアルコード シリアル番号 コード ライセンス
密钥 激活码 卡密 序列号 兑换码 注册码 授权码 許可證 金鑰 序號 兌換碼 키 라이선스 시리얼 코드`);
export const modifiers = setOf(`product activation cd dvd steam game games gift card cards number numbers no nr num unlock download redeem
redemption redeemable access registration list of all new the your my our digital promo discount software windows office
origin uplay epic gog xbox psn playstation nintendo pc mac app id text value values column unused available for and
produkt aktivierung produit activation d de del la le di do da des del producto activación activacion produto ativação
prodotto attivazione produktu aktywacyjny seryjny активации лицензионный лицензионные серийный продукта 제품`);

const most = (n, all) => n > 0 && 10 * n >= 9 * all;
const find = (what, lines, has) => {
  const found = lines.filter((l) => has(l.text));
  return found.length ? { what, lines: found.length, first: found[0].number } : null;
};
const bare = (word) => word.replace(/^[^\p{L}]+|[^\p{L}]+$/gu, "").toLowerCase();
const fields = (text) => text.split(/\p{White_Space}+/u).filter(Boolean);

function names(text) {
  const words = text.split(/[\p{White_Space}_\-./:()#'"’]+/u).filter(Boolean).map(bare);
  return words.every((w) => nouns.has(w) || modifiers.has(w)) && words.some((w) => nouns.has(w));
}

const comment = (text) => /^[#/\-;=*_~]/.test(text) && (commentMark.test(text) || commentWords.test(text) || ruler.test(text));

function heading(first, others) {
  if (first.split(/[,;|\t]+/).some((cell) => cell && names(cell))) return true;
  if (!others.length) return false;
  const words = fields(first);
  if (words.length > 1 && words.some((w) => nouns.has(bare(w)))) {
    return most(others.filter((l) => !/\p{White_Space}/u.test(l.text)).length, others.length);
  }
  return first.endsWith(":") && titleWords.test(first.slice(0, -1)) && !others.some((l) => l.text.endsWith(":"));
}

function numbered(text) {
  const b = bullet.exec(text);
  if (b) return { n: 0, form: b[1] + " ", rest: b[2] };
  const m = /^[0-9(\[#]/.test(text) && numberMark.exec(text);
  if (!m || m[3] + m[4] + m[5] === "") return { n: 0, form: "", rest: "" };
  return { n: Number(m[2]), form: m[1] + "1" + (m[3] && " ") + m[4] + (m[5] && " "), rest: m[6] };
}

function counts(form, lines) {
  const ns = [];
  let up = 0;
  for (const line of lines) {
    const n = numbered(line.text);
    if (n.form !== form || n.rest === "") continue;
    if (!ns.length || n.n === ns.at(-1) + 1) up++;
    ns.push(n.n);
  }
  if (!most(ns.length, lines.length)) return false;
  if (!form.includes("1")) return ns.length > 1;
  if (!most(up, ns.length)) return false;
  const mark = form.replace(/^[(\[#1 ]+/, "").trim();
  const fromStart = ns[0] === 0 || ns[0] === 1;
  if (mark && form.endsWith(" ")) return ns.length > 1 || fromStart;
  return ![":", "-", "="].includes(mark) && ns.length > 2 && fromStart;
}

const numbering = (lines) => lines.slice(0, 2).map((l) => numbered(l.text).form).find((form) => form && counts(form, lines));

function quoted(text) {
  const [first] = text;
  const rest = [...text.slice(first.length).replace(/[,; ]+$/, "")];
  return rest.length > 0 && (closing[first] ?? "").includes(rest.at(-1));
}

// inspect says what about the first lines of a file is not as lines of keys are: asked is what
// ingest holds the file for, warned what its report tells.
function inspect(start, lines) {
  const seen = { asked: [], warned: [] };
  if (jsonStart.test(start)) return { asked: [{ what: "json", lines: lines.length, first: 1 }], warned: [] };
  const html = find("html", lines, (t) => t.includes("<") && tag.test(t));
  if (html && (10 * html.lines >= lines.length || tagStart.test(start))) return { asked: [html], warned: [] };
  const add = (to, f) => f && to.push(f);
  add(seen.asked, find("comments", lines, comment));
  let keys = lines.filter((l) => !comment(l.text));
  if (keys.length && heading(keys[0].text, keys.slice(1))) {
    seen.asked.push({ what: "heading", lines: 1, first: keys[0].number });
    keys = keys.slice(1);
  }
  const form = numbering(keys);
  if (form) {
    add(seen.asked, find("numbers", keys, (t) => numbered(t).form === form));
    keys = keys.map((l) => ({ ...l, text: numbered(l.text).form === form ? numbered(l.text).rest : l.text }));
  }
  const q = find("quotes", keys, (t) => t !== "" && quoted(t));
  if (q && !(keys.length === 1 && "'`".includes(keys[0].text[0]))) {
    if (most(q.lines, keys.length)) seen.asked.push(q);
    else seen.warned.push({ ...q, what: "some-quotes" });
  }
  for (const separator of ",;|") {
    const f = find("separators", keys, (t) => t.includes(separator));
    if (f && most(f.lines, keys.length)) {
      seen.warned.push(f);
      break;
    }
  }
  add(seen.warned, find("typography", keys, (t) => typographic.test(t)));
  add(seen.warned, find("no-break-space", keys, (t) => noBreak.test(t)));
  return seen;
}

// runesOf returns the characters of a head, each byte that is not valid as U+FFFD, without one
// that is cut off at the end.
function runesOf(head) {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const runes = [];
  for (let i = 0, n; i < head.length; i += n) {
    const b = head[i];
    const wants = b < 0x80 ? 1 : b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : 2;
    n = 1;
    try {
      runes.push(strict.decode(head.subarray(i, i + wants)));
      n = wants;
    } catch {
      if (i + wants > head.length && new TextDecoder().decode(head.subarray(i), { stream: true }) === "") break;
      runes.push("\uFFFD");
    }
  }
  return runes;
}

const isControl = (c) => /\p{Cc}/u.test(c);

// encodingOf returns how a file is read, "" if it is no text.
function encodingOf(head) {
  const plainly = (encoding) => {
    const runes = [...unitsOf(head, encoding)[0]];
    if (runes.some((c) => !c.isWellFormed() || c === "\uFFFD" || (isControl(c) && trim(c)))) return false;
    const ascii = runes.filter((c) => c < "\x80").length;
    return ascii > 0 && 2 * ascii >= runes.length;
  };
  let encoding = "utf-8";
  if (head[0] === 0xff && head[1] === 0xfe) encoding = "utf-16le";
  else if (head[0] === 0xfe && head[1] === 0xff) encoding = "utf-16be";
  else if (head.includes(0)) encoding = ["utf-16le", "utf-16be"].find(plainly) ?? encoding;
  const runes = encoding === "utf-8" ? runesOf(head) : [...unitsOf(head, encoding)[0].toWellFormed()];
  if (runes[0] === "\uFEFF") runes.shift();
  if (/^\p{White_Space}*(?:%pdf-|\{\\rtf|<!doctype|<html|<\?xml)/iu.test(runes.slice(0, 64).join(""))) return "";
  const bad = runes.filter((c) => c === "\uFFFD" || (isControl(c) && !/\p{White_Space}/u.test(c))).length;
  return !runes.includes("\0") && (bad <= 16 || bad * 10 <= runes.length) ? encoding : "";
}

// cleaner returns a function that makes of a line its key, or {reason} why there is none. A line
// is a string of the file's units: bytes, or those of UTF-16.
function cleaner(encoding) {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  return (line) => {
    if (line.length > maxLine) return { reason: "too-long" };
    if (plain.test(line)) return line.trim(); // nothing but blanks and tabs is around it
    let text = line;
    if (encoding === "utf-8") {
      try {
        text = decoder.decode(Uint8Array.from(line, (c) => c.charCodeAt(0)));
      } catch {
        return { reason: "invalid-text" };
      }
    } else {
      if (!line.isWellFormed()) return { reason: "invalid-text" };
      if (utf8.encode(line).length > maxLine) return { reason: "too-long" };
    }
    text = trim(text);
    const bad = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.exec(text);
    if (!bad) return text;
    return { reason: bad[0] === "\t" ? "tab" : /\p{Cc}/u.test(bad[0]) ? "control-character" : "invisible-character", text };
  };
}

// unitsOf returns bytes as a string of the file's units, and the bytes that are left over.
function unitsOf(bytes, encoding) {
  let text = "";
  const step = encoding === "utf-8" ? 1 : 2;
  if (step === 1 && bytes.every((b) => b < 0x80)) return [new TextDecoder().decode(bytes), bytes.subarray(bytes.length)];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const units = step === 1 ? bytes : Uint16Array.from({ length: bytes.length >> 1 }, (_, i) => view.getUint16(2 * i, encoding === "utf-16le"));
  for (let i = 0; i < units.length; i += 8192) text += String.fromCharCode.apply(null, units.subarray(i, i + 8192));
  return [text, bytes.subarray(bytes.length - (bytes.length % step))];
}

// bytesOf returns a line as bytes of UTF-8: what is not valid stays so.
const bytesOf = (line, encoding) =>
  encoding === "utf-8" || /^[\0-\x7f]*$/.test(line) ? line : [...line].map((c) => (c.isWellFormed() ? String.fromCharCode(...utf8.encode(c)) : "\xed\xa0\x80")).join("");

function join(a, b) {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

// newSet returns a function that reports whether it has seen a text before, by 64 bits of hash:
// of 2 million texts, two are taken for one once in ten million files.
function newSet() {
  const mask = (1 << 22) - 1;
  const seen = new Uint32Array(2 * (mask + 1));
  let free = mostRepeats;
  return (text) => {
    let a = 0x811c9dc5, b = 0x9e3779b9;
    for (let i = 0; i < text.length; i++) {
      const c = text.charCodeAt(i);
      a = Math.imul(a ^ c, 0x01000193);
      b = Math.imul(b + c, 0x85ebca6b);
      b ^= b >>> 13;
    }
    a = (a ^ (a >>> 16)) >>> 0 || 1;
    b = b >>> 0;
    for (let at = (a ^ b) & mask; ; at = (at + 1) & mask) {
      if (seen[2 * at] === a && seen[2 * at + 1] === b) return true;
      if (seen[2 * at]) continue;
      if (free-- > 0) [seen[2 * at], seen[2 * at + 1]] = [a, b];
      return false;
    }
  };
}

const shapeOf = (text) => text.replace(/\p{L}/gu, "A").replace(/\p{N}/gu, "9");
const masked = (text) => [...text].map((c, i, all) => (i >= all.length - Math.min(4, all.length >> 1) || !/[\p{L}\p{N}]/u.test(c) ? c : "•")).join("");

// splitter returns a function that takes the bytes of a file, and calls each(line, terminator)
// with its lines.
function splitter(encoding, each) {
  let left = new Uint8Array(0), rest = "";
  return (bytes, final) => {
    const [text, over] = unitsOf(left.length ? join(left, bytes) : bytes, encoding);
    left = over;
    rest += text;
    if (final && left.length) rest += "\uD800"; // half a unit
    const next = (mark, from) => (rest.indexOf(mark, from) + 1 || Infinity) - 1;
    let from = 0;
    for (let lf = next("\n", 0), cr = next("\r", 0); Math.min(lf, cr) < Infinity; ) {
      const at = Math.min(lf, cr);
      if (!final && at === cr && cr === rest.length - 1) break; // an LF may follow
      each(rest.slice(from, at), "\n");
      from = at + (at === cr && lf === cr + 1 ? 2 : 1);
      if (lf < from) lf = next("\n", from);
      if (cr < from) cr = next("\r", from);
    }
    rest = rest.slice(from);
    if (final && rest) each(rest, "");
  };
}

// rowsOf returns a function that takes the lines of a table, null after the last, and calls
// each(row) with its rows. The text of cells is bytes of UTF-8.
function rowsOf(encoding, separator, each) {
  let cells = null, cell = "", quoted = false, line = 0, start = 0, last = 0, size = 0, n = 0, ended = false;
  const end = (reason = "") => {
    const more = reason ? line - start : 0;
    last = start + more + cells.join("").split("\n").length - 1;
    each({ n: n++, number: start, more, cells, reason });
    [cells, quoted, size] = [null, false, 0];
  };
  return (text, terminator) => {
    if (ended) return;
    if (text === null) return void (cells && end("unpaired-quotes"));
    text = bytesOf(text, encoding) + terminator;
    if (line++ === 0) text = text.replace(/^\xef\xbb\xbf/, "");
    size += text.length;
    if (size > mostRow) {
      ended = true;
      return each({ n, number: last + 1, more: 0, cells: [], reason: "endless-row" });
    }
    if (!cells && (text === "\n" || text === "")) return;
    if (!cells) [cells, start] = [[], line];
    for (let at = 0; ; ) {
      if (!quoted) {
        if (separator !== "\t") {
          blanks.lastIndex = at;
          at += blanks.exec(text)[0].length;
        }
        if (text[at] !== '"') {
          const to = text.indexOf(separator, at);
          const plainly = to < 0 ? text.slice(at).replace(/\n$/, "") : text.slice(at, to);
          if (plainly.includes('"')) return end("unpaired-quotes");
          cells.push(plainly);
          if (to < 0) return end();
          at = to + 1;
          continue;
        }
        [quoted, cell, at] = [true, "", at + 1];
      }
      const mark = text.indexOf('"', at);
      cell += text.slice(at, mark < 0 ? text.length : mark);
      if (mark < 0) return; // the cell goes on in the next line
      at = mark + 1;
      if (text[at] === '"') cell += text[at++];
      else {
        if (text[at] !== separator && !["", "\n"].includes(text.slice(at))) return end("unpaired-quotes");
        cells.push(cell);
        quoted = false;
        if (text[at++] !== separator) return end();
      }
    }
  };
}

const readable = (cell) => plain.test(cell) ? cell.trim() : trim(new TextDecoder().decode(Uint8Array.from(cell, (c) => c.charCodeAt(0))));
const widthOf = (cells) => cells.findLastIndex((cell) => readable(cell) !== "") + 1;
const columnName = (cell) => cell.split(re(`[${edge}_.-]+`)).filter(Boolean).join(" ").toLowerCase();

// sniff finds out how a table is read, by its first lines: column is 0 if that cannot be told.
function sniff(encoding, start, lines, whole) {
  const told = excel.exec(start);
  let best = { score: -1 };
  for (const separator of told ? told[1] : ",;\t|") {
    let rows = [];
    const take = rowsOf(encoding, separator, (row) => rows.push(row));
    for (const l of lines) take(...l);
    take(null);
    if (!whole && rows.length > 1) rows.pop(); // it may be cut off
    rows = rows.filter((row) => !row.reason && widthOf(row.cells));
    const heading = told ? rows.shift()?.n ?? -1 : -1; // the number of the last row before the data
    const t = { separator, columns: 1, column: 1, heading, score: 0, rows };
    if (rows.length) {
      const first = rows[0].cells.map(readable);
      const columns = Math.max(...rows.map((row) => Math.min(widthOf(row.cells), first.length)));
      const fits = [(cell) => keyNames.has(columnName(cell)), names].map((fit) => first.flatMap((cell, i) => (fit(cell) ? [i + 1] : []))).find((found) => found.length) ?? [];
      if (columns > 1 && fits.length) t.score = 2;
      else if (columns > 1 && most(rows.filter((row) => row.cells.length === first.length).length, rows.length)) t.score = 1;
      if (t.score) [t.columns, t.column] = [columns, fits.length === 1 ? fits[0] : 0];
      if (fits.length) t.heading = rows[0].n;
    }
    if (t.score > best.score || (t.score === best.score && t.columns > best.columns)) best = t;
  }
  const data = best.rows.filter(({ n, cells }) => n > best.heading && widthOf(cells) <= best.columns && cells.length >= best.columns);
  best.sample = data.map(({ number, cells }) => ({ number, text: readable(cells[best.column - 1] ?? "") })).filter((l) => l.text);
  return best;
}

// judge looks at the chunks of a file, and tells how far it is by progress(bytes).
export async function judge(name, chunks, progress = () => {}) {
  const said = { encoding: "", lines: 0, blank: 0, keys: 0, repeats: 0, refused: {}, rejected: [], asked: [], warned: [], shape: "", same: 0, odd: [], oddLines: 0, first: "", last: "" };
  const shapes = new Map(), known = newSet();
  let head = new Uint8Array(0), read = 0, take = null, finish = () => {}, last = null;
  const found = (key, number, more = 0) => {
    if (typeof key !== "string") {
      said.refused[key.reason] = (said.refused[key.reason] ?? 0) + 1 + more;
      for (let i = 0; i <= more && said.rejected.length < keptLines; i++) said.rejected.push({ line: number + i, reason: key.reason });
      return;
    }
    if (known(key)) return void said.repeats++;
    said.keys++;
    if (said.keys <= shapesSeen) {
      const shape = shapeOf(key);
      const like = shapes.get(shape) ?? { n: 0, lines: [] };
      like.n++;
      if (like.lines.length < oddKept) like.lines.push(number);
      shapes.set(shape, like);
    }
    said.first ||= masked(key);
    last = key;
  };
  const look = (final) => {
    said.encoding = encodingOf(head.subarray(0, headSize));
    if (!said.encoding) return false;
    const some = head.subarray(0, inspected), whole = final && head.length <= inspected, lines = [], clean = cleaner(said.encoding);
    const start = (said.encoding === "utf-8" ? new TextDecoder("utf-8", { ignoreBOM: true }).decode(some) : unitsOf(some, said.encoding)[0]).replace(new RegExp(`^[${edge}]+`, "u"), "");
    splitter(said.encoding, (...line) => lines.push(line))(some, true);
    const sample = lines.map(([line], i) => ({ number: i + 1, text: clean(line).text ?? clean(line) })).filter(({ text }) => typeof text === "string" && text);
    if (!whole && sample.length > 1) sample.pop(); // it may be cut off
    let each = (line) => {
      said.lines++;
      const key = clean(line);
      if (key === "") said.blank++;
      else found(key, said.lines);
    };
    Object.assign(said, inspect(start, sample));
    if (/\.csv$/i.test(name) && !said.asked.some(({ what }) => what === "json" || what === "html")) {
      const table = sniff(said.encoding, start, lines, whole), cleanCell = cleaner("utf-8");
      Object.assign(said, table.column ? inspect("", table.sample) : { asked: [], warned: [], cause: "no-column" });
      each = rowsOf(said.encoding, table.separator, ({ n, number, more, cells, reason }) => {
        said.lines += 1 + more;
        const width = widthOf(cells);
        if (!reason && !width) return void said.blank++;
        if (!reason && n <= table.heading) reason = "skipped-heading";
        else if (!reason && (width > table.columns || cells.length < table.columns)) reason = "other-columns";
        found(reason ? { reason } : cleanCell(cells[table.column - 1]) || { reason: "no-key" }, number, more);
      });
      finish = () => each(null);
      if (!table.column) each = () => {};
    }
    if (/\.as-is\.txt$/i.test(name)) said.asked = [];
    take = splitter(said.encoding, (...line) => each(...line));
    take(head, final);
    return true;
  };
  for await (const chunk of chunks) {
    read += chunk.length;
    if (take) take(chunk, false);
    else {
      head = join(head, chunk);
      if (head.length > inspected && !look(false)) break;
    }
    progress(read);
  }
  if (take) take(new Uint8Array(0), true);
  else if (head.length && !look(true)) return { ...said, cause: /^PK\x03\x04|^\x1f\x8b|^7z|^Rar!/.test(String.fromCharCode(...head.subarray(0, 8))) ? "archive" : "binary" };
  finish();
  if (last !== null) said.last = masked(last);
  for (const [shape, { n }] of shapes) if (n > said.same) [said.shape, said.same] = [shape, n];
  const looked = Math.min(said.keys, shapesSeen);
  if (said.same < looked && most(said.same, looked)) {
    for (const [shape, { lines }] of shapes) if (shape !== said.shape) said.odd.push(...lines);
    said.oddLines = looked - said.same;
    said.odd = said.odd.sort((a, b) => a - b).slice(0, oddKept);
  }
  if (said.lines === said.blank) said.cause ??= "empty";
  return said;
}

if (typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope) {
  self.onmessage = async ({ data: { name, file } }) => {
    const chunks = (async function* () {
      const reader = file.stream().getReader();
      for (let r = await reader.read(); !r.done; r = await reader.read()) yield r.value;
    })();
    self.postMessage({ said: await judge(name, chunks, (read) => self.postMessage({ read })) });
  };
}
