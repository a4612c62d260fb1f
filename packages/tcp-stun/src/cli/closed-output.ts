/**
 * What a shell reports for a command that a closed pipe has ended (128 + SIGPIPE)
 */
const BROKEN_PIPE = 141

/**
 * End when standard output cannot be written: quietly when its reader goes away, as in
 * `tcp-stun check | head`, else with the system's error, for example when the disk is
 * full. Without this the error is an uncaught exception.
 */
export function exitOnClosedOutput (): void {
  process.stdout.on('error', err => {
    if (isClosed(err)) {
      process.exit(process.exitCode ?? BROKEN_PIPE)
    }

    process.stderr.write(`tcp-stun: could not write the output: ${err.message}\n`)
    process.exit(1)
  })
}

function isClosed (err: NodeJS.ErrnoException): boolean {
  return err.code === 'EPIPE' || err.code === 'ERR_STREAM_DESTROYED'
}
