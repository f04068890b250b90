// The source drawer, and the program at the top of the page.

import { $, $$, byTest, el } from './dom.js';
import { say } from './i18n.js';
import { paint } from './paint.js';

const read = new Map(); // name -> text, as the server gave it

async function source(name) {
  if (!read.has(name)) {
    const answer = await fetch(`/source/${encodeURIComponent(name)}`);
    if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
    read.set(name, await answer.text());
  }
  return read.get(name);
}

async function list() {
  const answer = await fetch('/source');
  return answer.ok ? answer.json() : [];
}

export function startSource() {
  show($('#quickstart'), 'quickstart.go');

  const drawer = byTest('source-view');
  const code = $('#drawer-code');
  const files = $('#drawer-files');

  const open = (name) => {
    for (const chip of files.children) {
      const pressed = chip.dataset.file === name;
      chip.setAttribute('aria-pressed', String(pressed));
      if (pressed) chip.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    }
    code.scrollTo(0, 0);
    show(code, name);
  };
  for (const button of $$('[data-source]')) {
    button.addEventListener('click', async () => {
      const name = button.dataset.source;
      drawer.showModal();
      if (!files.childElementCount) {
        const names = await list().catch(() => []);
        files.replaceChildren(...names.map((file) => el('button', { type: 'button', class: 'chip', 'data-file': file, lang: 'en', onclick: () => open(file) }, file)));
      }
      open(name);
    });
  }
  $('#drawer-close').addEventListener('click', () => drawer.close());
  drawer.addEventListener('click', (e) => { if (e.target === drawer) drawer.close(); }); // the backdrop
}

async function show(pre, name) {
  pre.dataset.file = name;
  try {
    const text = await source(name);
    if (pre.dataset.file !== name) return; // another file was asked for meanwhile
    pre.dataset.text = text;
    pre.replaceChildren(...paint(text));
  } catch {
    pre.replaceChildren(say(el('span'), 'source.failed', { name }));
  }
}
