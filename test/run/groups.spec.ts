import { globSync } from 'node:fs'
import { expect } from 'aegir/chai'
import { allGroups } from './groups.ts'

describe('groups of tests', () => {
  it('have each spec file, once but for those that are split by title', () => {
    const groups = allGroups()
    const specs = globSync(['dist/test/**/*.spec.js', 'dist/packages/*/test/**/*.spec.js'])
    const named = groups.flatMap(({ files, grep }) => globSync(files).map(file => ({ file, grep })))
    const whole = named.filter(({ grep }) => grep == null).map(({ file }) => file)

    expect([...new Set(named.map(({ file }) => file))].sort()).to.deep.equal([...specs].sort())
    expect(whole.filter((file, i) => whole.indexOf(file) !== i)).to.be.empty()
  })
})
