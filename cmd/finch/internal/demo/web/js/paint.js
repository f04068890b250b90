// A light colouring of Go: comments, strings, keywords, numbers, calls.

import { el } from './dom.js';

const keywords = 'break case chan const continue default defer else fallthrough for func go goto if import interface map package range return select struct switch type var';
const basics = 'any bool byte error false int int64 len make nil string true uint64 append delete min max new panic';
const kinds = new Map([...keywords.split(' ').map((w) => [w, 'k']), ...basics.split(' ').map((w) => [w, 'b'])]);

const token = /(\/\/[^\n]*|\/\*[\s\S]*?\*\/)|("(?:\\.|[^"\\\n])*"|`[^`]*`|'(?:\\.|[^'\\\n])*')|(\b\d[\w.]*\b)|([A-Za-z_]\w*)/g;

// paint is the text as numbered lines of coloured nodes. A token that spans
// lines (a comment, a raw string) is cut at each line's end.
export function paint(text) {
  const lines = [[]];
  const put = (part, kind) => {
    part.split('\n').forEach((piece, i) => {
      if (i) lines.push([]);
      if (piece) lines.at(-1).push(kind ? el('span', { class: `go-${kind}` }, piece) : piece);
    });
  };
  let end = 0;
  for (const match of text.matchAll(token)) {
    put(text.slice(end, match.index));
    end = match.index + match[0].length;
    const [all, comment, string, number, word] = match;
    if (comment) put(all, 'c');
    else if (string) put(all, 's');
    else if (number) put(all, 'n');
    else put(all, kinds.get(word) ?? (text[end] === '(' ? 'f' : undefined));
  }
  put(text.slice(end));
  if (!lines.at(-1).length) lines.pop();
  return lines.map((line) => el('span', { class: 'code-line' }, ...line, '\n'));
}
