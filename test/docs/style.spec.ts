import { readFileSync } from 'node:fs'
import { expect } from 'aegir/chai'
import { trackedFiles } from '../fixtures/code-blocks.ts'

const MAX_LENGTH = 120

describe('the sources', () => {
  it(`have lines of at most ${MAX_LENGTH} characters`, () => {
    const files = trackedFiles('*.ts', '*.js').filter(file => !file.includes('/pb/'))
    const long = files.flatMap(file => readFileSync(file, 'utf8').split('\n').flatMap((line, i) =>
      line.length > MAX_LENGTH ? [`${file}:${i + 1}`] : []))

    expect(files).to.have.length.greaterThan(500)
    expect(long).to.deep.equal([])
  })
})
