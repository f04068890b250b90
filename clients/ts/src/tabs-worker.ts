import { beHub } from './tabs-hub.js';

// The script of the worker, where a bundler or a server gives it a file of its own.

beHub();
