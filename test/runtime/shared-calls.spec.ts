import { expect } from 'aegir/chai'
import { SharedCalls } from '../../src/runtime/shared-calls.ts'

describe('shared calls', () => {
  function pending (): {
    calls: SharedCalls<string>
    started: AbortSignal[]
    call(signal?: AbortSignal): Promise<string>
    settle: PromiseWithResolvers<string>
  } {
    const calls = new SharedCalls<string>()
    const started: AbortSignal[] = []
    const settle = Promise.withResolvers<string>()

    return {
      calls,
      started,
      settle,
      call: async signal =>
        calls.run(
          'key',
          async signal => {
            started.push(signal)
            return settle.promise
          },
          signal
        )
    }
  }

  it('start once for all callers of a key, and again after the answer', async () => {
    const { calls, started, call, settle } = pending()
    const both = Promise.all([call(), call(), calls.run('other', async () => 'another')])
    settle.resolve('answer')
    expect(await both).to.deep.equal(['answer', 'answer', 'another'])
    expect(started).to.have.lengthOf(1)
    await call()
    expect(started).to.have.lengthOf(2)
  })

  it('tell every caller of a failure', async () => {
    const { call, settle } = pending()
    const results = Promise.allSettled([call(), call()])
    settle.reject(new Error('no answer'))
    expect((await results).map(({ status }) => status)).to.deep.equal(['rejected', 'rejected'])
  })

  it('are aborted when the last caller gives up, and not before', async () => {
    const { started, call } = pending()
    const first = new AbortController()
    const second = new AbortController()
    const results = Promise.allSettled([call(first.signal), call(second.signal)])
    first.abort()
    await new Promise(resolve => { setImmediate(resolve) })
    expect(started[0].aborted).to.equal(false)
    second.abort()
    expect((await results).map(result => result.status === 'rejected' && result.reason.name)).to.deep.equal([
      'AbortError',
      'AbortError'
    ])
    expect(started[0].aborted).to.equal(true)
  })

  it('start anew for a caller that comes after the last one gave up', async () => {
    const { started, call, settle } = pending()
    const controller = new AbortController()
    const gaveUp = call(controller.signal)
    controller.abort()
    await expect(gaveUp).to.eventually.be.rejected()
    const next = call()
    expect(started).to.have.lengthOf(2)
    settle.resolve('answer')
    expect(await next).to.equal('answer')
  })

  it('do not start for a caller that has given up', async () => {
    const { started, call } = pending()
    await expect(call(AbortSignal.abort())).to.eventually.be.rejected().with.property('name', 'AbortError')
    expect(started).to.be.empty()
  })
})
