// Which node serves this page, when there are several, and whether the others can
// be reached.

import { $ } from './dom.js';
import { say } from './i18n.js';

export function startNode(connection) {
  const line = $('#node');
  const away = $('#away');
  connection.on('node', ({ name, nodes, store, reached }) => {
    line.hidden = false;
    line.dataset.nodes = nodes;
    say(line, reached ? 'node.one' : 'node.alone', { name, nodes, store });
    away.hidden = reached;
    if (reached) away.replaceChildren(); // so that it is said anew the next time
    else say(away, 'node.away', { store });
  });
}
