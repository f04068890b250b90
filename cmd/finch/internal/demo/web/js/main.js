// The page: one socket, and the panels that listen to it.

import { $, $$, byTest, icon, paintAvatar } from './dom.js';
import { language, onLanguage, say, setLanguage, t, translatePage } from './i18n.js';
import { Connection } from './socket.js';
import { startChat } from './chat.js';
import { startConsole } from './console.js';
import { startCounts } from './counts.js';
import { startEcho } from './echo.js';
import { startIdle } from './idle.js';
import { startNode } from './node.js';
import { startNotify } from './notify.js';
import { startRecovery } from './recovery.js';
import { startSlow } from './slow.js';
import { startSource } from './source.js';
import { startTabs } from './tabs.js';

const user = [...(new URLSearchParams(location.search).get('user') ?? '').trim()].slice(0, 64).join('');

function socketURL(path, query = {}) {
  const url = new URL(path, location.href);
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
  return url.href;
}

function startLanguage() {
  const button = byTest('lang-switch');
  const other = () => (language() === 'fa' ? 'en' : 'fa');
  const show = () => {
    button.lang = other();
    button.textContent = other() === 'fa' ? 'فارسی' : 'English';
  };
  button.addEventListener('click', () => setLanguage(other()));
  onLanguage(show);
}

function startState(connection) {
  const pill = byTest('state');
  const text = $('.state-text', pill);
  const said = $('#state-said');
  const now = $('#retry-now');
  let ticking = 0;
  let shown = '';
  const show = () => {
    const state = connection.state;
    const seconds = Math.max(1, Math.ceil((state.until - Date.now()) / 1000));
    const line = `${state.name} ${seconds} ${state.code}`;
    if (line === shown) return;
    shown = line;
    // The seconds are for the eyes: read aloud they would never end, and every
    // attempt is news only to those who watch.
    if (state.name !== 'connecting') say(said, `said.${state.name}`);
    pill.dataset.state = state.name;
    say(text, `state.${state.name}`, state.name === 'waiting' ? { seconds } : { code: state.code ?? 0 });
    now.hidden = state.name !== 'waiting' && state.name !== 'refused';
  };
  connection.onState((state) => {
    clearInterval(ticking);
    if (state.name === 'waiting') ticking = setInterval(show, 250);
    show();
  });
  now.addEventListener('click', () => connection.retry());
}

function startUser() {
  for (const link of [$('#another-tab')]) link.href = user ? `/?user=${encodeURIComponent(user)}` : '/';
  if (!user) return;
  $('#who').hidden = false;
  $('.who-name').textContent = user;
  paintAvatar($('.who .avatar'), user);
}

// Anything with data-copy, and the buttons beside a code listing.
function startCopying() {
  const copied = async (button, text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      return; // an insecure origin has no clipboard; the text can still be selected
    }
    const drawing = button.firstElementChild;
    button.replaceChildren(icon('done'));
    button.setAttribute('aria-label', t('copied'));
    setTimeout(() => {
      button.replaceChildren(drawing);
      button.setAttribute('aria-label', t('copy'));
    }, 1500);
  };
  for (const button of $$('[data-copy]')) button.addEventListener('click', () => copied(button, button.dataset.copy));
  $('#copy-quickstart').addEventListener('click', (e) => copied(e.currentTarget, $('#quickstart').dataset.text ?? ''));
  $('#drawer-copy').addEventListener('click', (e) => copied(e.currentTarget, $('#drawer-code').dataset.text ?? ''));
}

const connection = new Connection(socketURL('/ws', { user }));
startLanguage();
startUser();
startState(connection);
startConsole(connection);
startCounts(connection);
startNode(connection);
startEcho(connection, socketURL('/echo'));
startChat(connection, user);
startNotify(connection, user);
startRecovery(socketURL('/pulse'));
startSlow(connection, socketURL('/slow'));
startTabs(socketURL('/tabs'), user);
startIdle(connection);
startSource();
startCopying();
translatePage();
document.documentElement.dataset.ready = '';
