// Small tools for the document. Nothing here parses HTML: text stays text.

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
export const byTest = (id) => $(`[data-testid="${id}"]`);

// el makes an element. Properties are set as attributes, except functions,
// which are listeners ("onclick"), and true and false, which add or omit.
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === false || value == null) continue;
    if (typeof value === 'function') node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

const SVG = 'http://www.w3.org/2000/svg';

export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  const use = document.createElementNS(SVG, 'use');
  svg.setAttribute('aria-hidden', 'true');
  use.setAttribute('href', `#i-${name}`);
  svg.append(use);
  return svg;
}

// trim keeps the last `most` children.
export function trim(list, most) {
  while (list.childElementCount > most) list.firstElementChild.remove();
}

export const atEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 40;

// append adds to a log and follows it, unless the reader has scrolled back.
export function append(list, node, most) {
  const follow = atEnd(list);
  list.append(node);
  trim(list, most);
  if (follow) list.scrollTop = list.scrollHeight;
}

// hue is a colour of somebody's own, the same in every window.
export function hue(text) {
  let h = 0;
  for (const c of text) h = (h * 31 + c.codePointAt(0)) >>> 0;
  return h % 360;
}

export function avatar(name) {
  const node = el('span', { class: 'avatar', 'aria-hidden': 'true' });
  paintAvatar(node, name);
  return node;
}

export function paintAvatar(node, name) {
  node.textContent = [...name.trim()][0]?.toUpperCase() ?? '?';
  node.style.setProperty('--hue', hue(name));
}

export const short = (id) => (id.length > 10 ? id.slice(0, 8) + '…' : id);
