/** Connect: from a record to a connection. */

import { connect as handshake } from '../protocol/handshake';
import { ready } from '../protocol/sodium';
import { Connection } from './connection';
import type { Environment } from './environment';
import { credentialsOf, type DaemonRecord } from './store';
import { ANSWER_TIME, Socket } from './transport';

/**
 * Connects once. While the record's fingerprint is not confirmed, the connection may not send.
 *
 * @param signal aborts the attempt, which then fails as if it was cut
 * @throws TransportFailure, ProtocolError, OtherVersion
 */
export async function connect(
  environment: Environment,
  record: DaemonRecord,
  signal?: AbortSignal,
): Promise<Connection> {
  await ready;
  const socket = await Socket.open(environment, record.address, signal);
  let step: { abandon(): void } | undefined;
  try {
    const { state: awaitM2, m1 } = handshake(credentialsOf(record));
    step = awaitM2;
    socket.send(m1);
    const { state: awaitM4, m3 } = awaitM2.readM2(await socket.receive(ANSWER_TIME));
    step = awaitM4;
    socket.send(m3);
    const { channel, first } = awaitM4.readM4(await socket.receive(ANSWER_TIME));
    return new Connection(environment, socket, channel, first, !record.confirmed);
  } catch (error) {
    step?.abandon();
    socket.close();
    throw error;
  }
}
