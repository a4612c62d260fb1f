/**
 * What one process of tests came to
 */
export interface Result {
  passed: number
  failed: number
  skipped: number

  /**
   * What mocha printed about the failures, or what else went wrong
   */
  failures: string
}

/**
 * Read the summary that mocha's spec reporter prints. A process that ends badly
 * without a failure, or that ran no test, has failed once itself. The exit code is
 * null when a signal ended the process.
 */
export function readResult (output: string, exitCode: number | null): Result {
  const passed = count(output, 'passing')
  const failed = count(output, 'failing')
  const result: Result = {
    passed: passed ?? 0,
    failed: failed ?? 0,
    skipped: count(output, 'pending') ?? 0,
    failures: failed == null ? '' : output.slice(output.search(/^ *\d+ failing/m)).trim()
  }

  if (passed == null || (passed === 0 && failed == null)) {
    return { ...result, failed: 1, failures: `No test ran (exit code ${exitCode}):\n${output.slice(-4_000)}` }
  }

  if (exitCode !== 0 && failed == null) {
    return {
      ...result,
      failed: 1,
      failures: `The process ended with exit code ${exitCode} though no test failed:\n${output.slice(-4_000)}`
    }
  }

  return result
}

function count (output: string, word: string): number | undefined {
  const found = new RegExp(`^ *(\\d+) ${word}`, 'gm')
  const last = [...output.matchAll(found)].at(-1)

  return last == null ? undefined : Number(last[1])
}
