/**
 * Coverage of our own modules, counted as they are loaded: each branch and each
 * function gets a byte of its own that it increments. Import it before them.
 */
import { registerHooks } from 'node:module'
import { transformSync } from '@babel/core'
import type { PluginObj, types as BabelTypes } from '@babel/core'

/**
 * More than there are branches
 */
const SIZE = 8_192

const hits = new Uint8Array(SIZE)
let places = 0

Object.assign(globalThis, { __hits: hits })

/**
 * Like AFL: 1, 2, 3, 4 to 7, 8 to 15 and so on are different things to have seen
 */
const BUCKETS = Uint8Array.from({ length: 256 }, (_, count) =>
  count < 4 ? [0, 1, 2, 4][count] : 1 << Math.min(7, Math.floor(Math.log2(count)) + 1)
)
const seen = new Uint8Array(SIZE)

/**
 * How many places can be reached, and how many were
 */
export function coverage (): { places: number, reached: number } {
  return { places, reached: seen.reduce((sum, buckets) => sum + (buckets === 0 ? 0 : 1), 0) }
}

/**
 * Whether something new was seen since the last call
 */
export function sawNew (): boolean {
  let found = false

  for (let i = 0; i < places; i++) {
    if (hits[i] !== 0) {
      const bucket = BUCKETS[hits[i]]

      if ((seen[i] & bucket) === 0) {
        seen[i] |= bucket
        found = true
      }

      hits[i] = 0
    }
  }

  return found
}

/**
 * Begin anew, as if nothing had been seen
 */
export function forget (): void {
  seen.fill(0)
  hits.fill(0)
}

function plugin ({ types: t }: { types: typeof BabelTypes }): PluginObj {
  const count = (): BabelTypes.UpdateExpression =>
    t.updateExpression('++', t.memberExpression(t.identifier('__hits'), t.numericLiteral(places++), true))
  const block = (statement: BabelTypes.Statement | null | undefined): BabelTypes.BlockStatement => t.blockStatement([
    t.expressionStatement(count()),
    ...(statement == null ? [] : t.isBlockStatement(statement) ? statement.body : [statement])
  ])
  const expression = (value: BabelTypes.Expression): BabelTypes.Expression => t.sequenceExpression([count(), value])

  return {
    visitor: {
      IfStatement: {
        exit: ({ node }) => {
          node.consequent = block(node.consequent)
          node.alternate = block(node.alternate)
        }
      },
      Loop: { exit: ({ node }) => { node.body = block(node.body) } },
      Function: {
        exit: ({ node }) => {
          if (t.isBlockStatement(node.body)) {
            node.body.body.unshift(t.expressionStatement(count()))
          }
        }
      },
      SwitchCase: { exit: ({ node }) => { node.consequent.unshift(t.expressionStatement(count())) } },
      ConditionalExpression: {
        exit: ({ node }) => {
          node.consequent = expression(node.consequent)
          node.alternate = expression(node.alternate)
        }
      },
      LogicalExpression: { exit: ({ node }) => { node.right = expression(node.right) } }
    }
  }
}

registerHooks({
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context)

    if (!/\/dist\/src\/(?:address|stun|server)\//.test(url) || loaded.source == null) {
      return loaded
    }

    const source = Buffer.from(loaded.source as Uint8Array).toString()

    return {
      ...loaded,
      source:
        transformSync(source, { plugins: [plugin], configFile: false, babelrc: false, compact: true })?.code ?? source
    }
  }
})
