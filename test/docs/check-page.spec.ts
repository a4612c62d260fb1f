import { readFileSync, readdirSync } from 'node:fs'
import { expect } from 'aegir/chai'

describe('docs/check.md', () => {
  it('shows screens that the tests have seen', () => {
    const page = readFileSync('docs/check.md', 'utf8')
    const shown = [...page.matchAll(/^```\n(IPv[46], from local port [^]*?)\n```$/gm)].map(([, screen]) => screen)
    const seen = readdirSync('test/screens').map(file => readFileSync(`test/screens/${file}`, 'utf8')).join('\n')

    expect(shown).to.have.length.greaterThan(2)
    expect(shown.filter(screen => !seen.includes(`\n${screen}\n`))).to.deep.equal([])
  })
})
