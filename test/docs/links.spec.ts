import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect } from 'aegir/chai'

const PAGES = execFileSync('git', ['ls-files', '*.md'], { encoding: 'utf8' }).split('\n').filter(file => file !== '')

/**
 * npm shows these too, where there is no folder that a relative link could lead to
 */
const ON_NPM = ['README.md', 'packages/tcp-stun/README.md']
const PACKAGES = ['package.json', 'packages/tcp-stun/package.json']

const REPOSITORY: string = manifest('package.json').repository.url.replace(/^git\+|\.git$/g, '')
const RAW = REPOSITORY.replace('github.com', 'raw.githubusercontent.com')

interface Link {
  page: string
  target: string
}

const LINKS = PAGES.flatMap(page => links(readFileSync(page, 'utf8')).map((target): Link => ({ page, target })))

describe('links', () => {
  it('lead to files and headings that are there', () => {
    const inside = LINKS.filter(({ target }) => pathInRepository(target) != null || !target.includes(':'))
    expect(inside).to.have.length.greaterThan(100)
    expect(inside.filter(link => !exists(link)).map(describeLink)).to.deep.equal([])
  })

  it('are absolute in what npm shows', () => {
    const relative = LINKS.filter(({ page, target }) => ON_NPM.includes(page) && !/^(?:https?:|#)/.test(target))

    expect(relative.map(describeLink)).to.deep.equal([])
  })

  it('are URLs where they lead elsewhere', () => {
    const outside = LINKS.filter(({ target }) => target.includes(':') && pathInRepository(target) == null)

    expect(outside.filter(({ target }) => !URL.canParse(target)).map(describeLink)).to.deep.equal([])
  })

  it('of both packages lead to one repository', () => {
    for (const file of PACKAGES) {
      const { homepage, repository, bugs } = manifest(file)
      const { dir } = path.parse(file)

      expect(repository).to.deep.equal({
        type: 'git', url: `git+${REPOSITORY}.git`, ...(dir === '' ? {} : { directory: dir })
      })
      expect(homepage).to.equal(dir === '' ? `${REPOSITORY}#readme` : `${REPOSITORY}/tree/main/${dir}#readme`)
      expect(bugs).to.deep.equal({ url: `${REPOSITORY}/issues` })
    }
  })
})

describe('docs/README.md', () => {
  it('names every page', () => {
    const index = links(readFileSync('docs/README.md', 'utf8'))
    const pages = PAGES.filter(page => /^docs\/[^/]+\.md$/.test(page)).map(page => path.basename(page))

    expect(pages.filter(page => page !== 'README.md' && !index.includes(page))).to.deep.equal([])
  })
})

function manifest (file: string): any {
  return JSON.parse(readFileSync(file, 'utf8'))
}

/**
 * Those of Markdown, but not those of code
 */
function links (text: string): string[] {
  const prose = text.replace(/```[^]*?```/g, '').replace(/`[^`\n]*`/g, '')

  return [
    ...[...prose.matchAll(/\]\(([^)\s]*)\)/g)].map(([, target]) => target),
    ...[...prose.matchAll(/<(https?:[^>\s]*)>/g)].map(([, target]) => target)
  ]
}

/**
 * The file that an absolute link to this repository shows, from the root
 */
function pathInRepository (target: string): string | undefined {
  for (const prefix of [`${REPOSITORY}/blob/main/`, `${REPOSITORY}/tree/main/`, `${RAW}/main/`]) {
    if (target.startsWith(prefix)) {
      return target.slice(prefix.length)
    }
  }
}

function exists ({ page, target }: Link): boolean {
  const absolute = pathInRepository(target)
  const [file, heading] = (absolute ?? target).split('#')
  const found = absolute == null && file === '' ? page : path.join(absolute == null ? path.dirname(page) : '', file)

  return existsSync(found) && (heading == null || headings(found).includes(heading))
}

/**
 * As GitHub makes anchors of them
 */
function headings (page: string): string[] {
  return [...readFileSync(page, 'utf8').matchAll(/^#+ (.*)$/gm)]
    .map(([, title]) => title.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(' ', '-'))
}

function describeLink ({ page, target }: Link): string {
  return `${page}: ${target}`
}
