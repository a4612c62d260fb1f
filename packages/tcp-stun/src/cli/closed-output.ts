/**
 * What a shell reports for a command that a closed pipe has ended (128 + SIGPIPE)
 */
const BROKEN_PIPE = 141

/**
 * End quietly when the reader of standard output goes away, as in
 * `tcp-stun check | head`. Without this the EPIPE is an uncaught exception.
 */
export function exitOnClosedOutput (): void {
  process.stdout.on('error', err => {
    if (!isClosed(err)) {
      throw err
    }

    process.exit(process.exitCode ?? BROKEN_PIPE)
  })
}

/**
 * Go on when the reader of standard output goes away: a server must not end with
 * its log reader
 */
export function ignoreClosedOutput (): void {
  process.stdout.on('error', err => {
    if (!isClosed(err)) {
      throw err
    }
  })
}

function isClosed (err: NodeJS.ErrnoException): boolean {
  return err.code === 'EPIPE' || err.code === 'ERR_STREAM_DESTROYED'
}
