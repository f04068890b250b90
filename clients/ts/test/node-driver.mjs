// The driver of the suite for clients, in Node:
//
//	go run ./clients/suite -driver "node clients/ts/test/node-driver.mjs"

import { WebSocket } from 'ws';
import * as entry from '../lib/rooms.js';
import { drive } from './driver.mjs';

const control = new WebSocket(process.env.FINCH_SUITE_CONTROL);
control.onopen = () => drive(control, entry, { WebSocket }, `finch-client in Node ${process.versions.node}`, ['http_status']);
control.onclose = () => process.exit();
