import { claim } from './claim.js';
import { Hub, type Told } from './hub.js';

/**
 * Makes a shared worker the hub of all tabs of the browser. It ends with the last
 * of them, or with the process that it shares with one of them: by the lock that
 * it holds they notice that. To be called while the worker's script runs for the
 * first time, or the first tab is not heard.
 */
export function beHub(): void {
  const scope = globalThis as unknown as { onconnect: (event: MessageEvent) => void };
  const ports = new Map<string, MessagePort>();
  const life = `finch-hub-life:${crypto.getRandomValues(new Uint32Array(4)).join('-')}`;
  const living = claim(life, true);

  const hub = new Hub((said) => {
    ports.get(said.to)?.postMessage(said.saw === 'heard' ? { ...said, life } : said);
    if (said.saw === 'close') ports.delete(said.to);
  });

  scope.onconnect = async ({ ports: [port] }) => {
    await living;
    port!.onmessage = ({ data }: MessageEvent<Told>) => {
      if (data.do === 'open') ports.set(data.tab, port!);
      hub.receive(data);
      if (data.do === 'close') ports.delete(data.tab);
    };
  };
}
