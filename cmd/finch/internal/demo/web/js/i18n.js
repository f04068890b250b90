// The page's two languages. A node carries the key of its words and their
// values, so a switch of language is one walk over the document.

import en from '../i18n/en.js';
import fa from '../i18n/fa.js';
import { $$, el } from './dom.js';

const words = { en, fa };
const locales = { en: 'en', fa: 'fa-IR' };
const storeKey = 'finch.lang';

let code = first();
const listeners = [];

// first is the language of ?lang, else the one chosen before, else the first
// of the browser's languages that the page speaks.
function first() {
  const known = (tag) => (tag ?? '').toLowerCase().split('-')[0] in words;
  const asked = new URLSearchParams(location.search).get('lang');
  if (known(asked)) return asked.toLowerCase().split('-')[0];
  let stored = null;
  try { stored = localStorage.getItem(storeKey); } catch { /* storage may be forbidden */ }
  if (known(stored)) return stored;
  const spoken = navigator.languages.find(known);
  return spoken ? spoken.toLowerCase().split('-')[0] : 'en';
}

export const language = () => code;

export function onLanguage(f) {
  listeners.push(f);
}

export function setLanguage(next) {
  code = next;
  try { localStorage.setItem(storeKey, next); } catch { /* storage may be forbidden */ }
  const url = new URL(location.href);
  if (url.searchParams.has('lang')) {
    url.searchParams.set('lang', next);
    history.replaceState(null, '', url);
  }
  translatePage();
}

export function translatePage() {
  const root = document.documentElement;
  root.lang = code;
  root.dir = code === 'fa' ? 'rtl' : 'ltr';
  document.title = t('page.title');
  for (const node of $$('[data-t]')) render(node);
  for (const node of $$('[data-t-label]')) node.setAttribute('aria-label', t(node.dataset.tLabel));
  for (const node of $$('[data-t-placeholder]')) node.placeholder = t(node.dataset.tPlaceholder);
  for (const node of $$('[data-number]')) node.textContent = number(Number(node.dataset.number));
  for (const node of $$('time[data-at]')) node.textContent = clock(Number(node.dataset.at));
  for (const f of listeners) f(code);
}

const template = (key) => words[code][key] ?? words.en[key] ?? key;

// t is a sentence as plain text, for attributes and titles.
export function t(key, values = {}) {
  return template(key).replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === 'number' ? number(value) : String(value ?? '');
  });
}

// say writes a sentence into a node. What people typed is isolated, so that
// its direction cannot disturb the sentence around it.
export function say(node, key, values = {}) {
  node.dataset.t = key;
  node.dataset.v = JSON.stringify(values);
  render(node);
  return node;
}

function render(node) {
  const values = node.dataset.v ? JSON.parse(node.dataset.v) : {};
  const parts = template(node.dataset.t).split(/(\{\w+\}|`[^`]+`)/).filter(Boolean);
  node.replaceChildren(...parts.map((part) => {
    if (part.startsWith('`')) return el('code', { dir: 'ltr', lang: 'en' }, part.slice(1, -1));
    if (!/^\{\w+\}$/.test(part)) return part;
    const value = values[part.slice(1, -1)];
    return typeof value === 'number' ? number(value) : el('bdi', {}, String(value ?? ''));
  }));
}

const formats = new Map();
function format(kind, options) {
  const key = code + kind.name + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new kind(locales[code], options));
  return formats.get(key);
}

export function number(n, options = { maximumFractionDigits: 1 }) {
  return format(Intl.NumberFormat, options).format(n);
}

export function clock(at) {
  return format(Intl.DateTimeFormat, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).format(at);
}

// when is a moment that keeps up with the language.
export function when(at) {
  const node = el('time', { 'data-at': at, datetime: new Date(at).toISOString() });
  node.textContent = clock(at);
  return node;
}

// showNumber writes a number that keeps up with the language; data-number has
// the plain digits.
export function showNumber(node, n) {
  node.dataset.number = n;
  node.textContent = number(n);
}
