/** Requests as promises. */

import type { Answers, Request, RequestName } from '../protocol/message';
import type { Connection } from './connection';
import type { RequestFailure } from './types';

/** A request was not done, or it is not known whether it was. */
export class RequestRefused extends Error implements RequestFailure {
  override readonly name = 'RequestRefused';

  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Asks over the connection that there is.
 * @throws RequestRefused
 */
export function ask<N extends RequestName>(
  connection: Connection | undefined,
  request: Extract<Request, { request: N }>,
): Promise<Answers[N]> {
  return new Promise((resolve, reject) => {
    if (!connection) {
      return reject(new RequestRefused('no-link', 'there is no link to the daemon'));
    }
    connection.ask<N>(request, (outcome) => {
      if ('ok' in outcome) return resolve(outcome.ok);
      const { code, message } =
        'error' in outcome
          ? outcome.error
          : { code: 'cut', message: 'the connection ended before the daemon answered' };
      reject(new RequestRefused(code, message));
    });
  });
}
