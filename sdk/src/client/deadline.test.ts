import { describe, expect, test } from 'vitest'
import { afterFailures, against, answerWell } from '../../test/test-client.ts'
import { ConnectionError, TimeoutError } from '../errors.ts'

describe('time', () => {
  test('a server that says nothing is left, and asked again', async () => {
    const { sessions, waits } = await against(() => {}, { timeoutMs: 30 })
    const error = await sessions.get('ses_1').catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(TimeoutError)
    expect(error).toBeInstanceOf(ConnectionError)
    expect(error).toMatchObject({ code: 'timeout', status: null })
    expect(String(error)).toContain('GET /v1/sessions/{sessionId} was not answered within 30 ms')
    expect(waits, 'two more attempts').toHaveLength(2)
  })

  test('a server that stops in the middle of an answer is left too', async () => {
    const { sessions } = await against(
      response => {
        response.writeHead(200, { 'content-type': 'application/json' })
        response.write('{"id":')
      },
      { timeoutMs: 30, maxRetries: 0 },
    )
    await expect(sessions.get('ses_1')).rejects.toThrow(TimeoutError)
  })

  test('also a fetch that does not listen to its signal', async () => {
    const { sessions } = await against(() => {}, { fetch: () => new Promise(() => {}) })
    const options = { timeoutMs: 20, maxRetries: 0 }
    await expect(sessions.get('ses_1', options)).rejects.toThrow(TimeoutError)
  })

  test('the time of one call can be its own', async () => {
    const { sessions, server } = await against(() => {})
    const options = { timeoutMs: 20, maxRetries: 1 }
    await expect(sessions.get('ses_1', options)).rejects.toThrow('20 ms')
    expect(server.requests).toHaveLength(2)
  })
})

describe('a signal', () => {
  const reason = new Error('the user left')

  test('that has aborted sends nothing', async () => {
    const { sessions, server } = await against(answerWell)
    const signal = AbortSignal.abort(reason)
    await expect(sessions.get('ses_1', { signal })).rejects.toBe(reason)
    expect(server.requests).toEqual([])
  })

  test('ends a request that waits, with its own reason, and its connection', async () => {
    const controller = new AbortController()
    let onClosed = () => {}
    const closed = new Promise<void>(resolve => {
      onClosed = resolve
    })
    const { sessions, server } = await against(response => {
      response.on('close', onClosed)
      controller.abort(reason)
    })
    await expect(sessions.get('ses_1', { signal: controller.signal })).rejects.toBe(reason)
    await closed
    expect(server.requests).toHaveLength(1)
  })

  test('is not taken for a failure that a retry could help', async () => {
    const controller = new AbortController()
    const own = new ConnectionError('mine', { code: 'mine' })
    const { sessions, server } = await against(() => controller.abort(own))
    await expect(sessions.get('ses_1', { signal: controller.signal })).rejects.toBe(own)
    expect(server.requests).toHaveLength(1)
  })

  test('keeps no listener of a call that is over', async () => {
    const { sessions } = await against(afterFailures(1, response => response.destroy()))
    const { signal } = new AbortController()
    let listeners = 0
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++
      add(...args)
    }
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--
      remove(...args)
    }
    await sessions.get('ses_1', { signal })
    expect(listeners).toBe(0)
  })
})
