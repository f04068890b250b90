// Sentences for what the server refused, in the page's language.

import { say } from './i18n.js';

const known = new Set(['offline', 'timeout', 'name', 'room', 'text', 'not_in_room', 'too_many_rooms', 'no_such_user', 'user', 'too_fast', 'unavailable', 'already_slow', 'cannot_hold', 'already_held', 'not_loopback', 'needs_linux', 'too_few_files']);
const spelled = {
  bad_name: 'name', bad_room: 'room', room_not_declared: 'room', bad_text: 'text', bad_user: 'user',
  connection_lost: 'offline', not_sent: 'offline', closed: 'offline',
};

// tell writes why a request failed. A code the page has no words for is told
// in the server's own.
export function tell(node, error, values = {}) {
  const code = spelled[error.code] ?? error.code;
  if (known.has(code)) say(node, `error.${code}`, values);
  else say(node, 'error.unknown', { message: error.message });
  node.hidden = false;
}
