import { expect } from 'aegir/chai'
import { readResult } from './result.ts'

describe('the result of a test process', () => {
  it('counts what passed, failed and was skipped', () => {
    const output =
      '  a suite\n    ✔ a test\n\n\n  12 passing (3s)\n  2 pending\n  1 failing\n\n  1) a suite\n       breaks:\n ' +
        '    Error: Oh noes!\n'

    expect(readResult(output, 1)).to.deep.equal({
      passed: 12,
      failed: 1,
      skipped: 2,
      failures: '1 failing\n\n  1) a suite\n       breaks:\n     Error: Oh noes!'
    })
  })

  it('has failed where no test ran', () => {
    for (const [output, exitCode] of [
      ['', 0],
      ['SyntaxError: Oh noes!', 1],
      ['\n  0 passing (1ms)\n', 0],
      ['  a suite\n', null]
    ] as const) {
      expect(readResult(output, exitCode), output).to.include({ passed: 0, failed: 1 })
    }
  })

  it('has failed where the process ends badly after all tests passed', () => {
    for (const exitCode of [7, null]) {
      expect(readResult('\n  3 passing (1s)\n', exitCode)).to.include({ passed: 3, failed: 1 })
    }
  })

  it('takes no test title for a count', () => {
    expect(readResult('    ✔ sees 3 failing servers\n\n  1 passing (1s)\n', 0)).to.deep.equal({
      passed: 1,
      failed: 0,
      skipped: 0,
      failures: ''
    })
  })
})
