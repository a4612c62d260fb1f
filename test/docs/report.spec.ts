import { expect } from 'aegir/chai'
import { replaceRows } from '../nat-lab/report/report.ts'

describe('the figures of a document', () => {
  it('a run of some tests replaces theirs, and adds new ones at the end', () => {
    const before = [['first', '1 of 2', 'yes'], ['second', '2 of 2', 'yes']]

    expect(replaceRows(before, [['third', '4 of 4', 'yes'], ['first', '3 of 3', 'no']])).to.deep.equal([
      ['first', '3 of 3', 'no'],
      ['second', '2 of 2', 'yes'],
      ['third', '4 of 4', 'yes']
    ])
  })

  it('a whole run begins with none', () => {
    expect(replaceRows([], [['first', '1 of 2', 'yes']])).to.deep.equal([['first', '1 of 2', 'yes']])
  })
})
