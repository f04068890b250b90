import { tabs as share, type TabsOptions } from './tabs.js';
import { beHub } from './tabs-hub.js';
import type { WebSocketClass } from './link.js';

// What servers hand out as dist/finch-tabs.js: one file that is both what a page
// imports and the script of the worker, so that a server has one address to serve
// and nobody has to say where the worker is.

if ('onconnect' in globalThis) beHub(); // nothing but a shared worker has that

/** `tabs` of `finch-client/tabs`, whose worker is this file. */
export const tabs = (options: TabsOptions = {}): WebSocketClass => share({ worker: import.meta.url, ...options });
