import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

/** Sends bytes to a port of this machine exactly as they are. @returns all that comes back until the end */
export function sendBytes(port: number, bytes: Uint8Array): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  return text(socket);
}
