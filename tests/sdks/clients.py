"""What people do with the official SDKs, done to a gateway in front of one provider of each kind.

Usage: clients.py BASE_URL TOKEN. Each check that holds is told in a line; the first that does not ends the run.
"""

import asyncio
import json
import sys

import anthropic
import openai

BASE, TOKEN = sys.argv[1:3]
MODELS = {
    "anthropic-messages": "anthropic/claude-sonnet-4-5",
    "google-generative-ai": "google/gemini-2.5-flash",
    "openai-codex-responses": "openai-codex/gpt-5.2-codex",
    "openai-completions": "comp/gpt-4o-mini",
    "openai-responses": "resp/gpt-5.2",
}
RESPONSES = ("openai-codex-responses", "openai-responses")
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
ELSEWHERE = "https://example.com/cat.png"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}

openai_client = openai.OpenAI(base_url=f"{BASE}/v1", api_key=TOKEN, max_retries=0)
anthropic_client = anthropic.Anthropic(base_url=BASE, api_key=TOKEN, max_retries=0)


def check(condition, *seen):
    if not condition:
        raise AssertionError(seen)


def chat_text(model):
    messages = [{"role": "system", "content": "me"}, {"role": "user", "content": "hello"}]
    answer = openai_client.chat.completions.create(model=model, messages=messages, max_completion_tokens=64)
    choice = answer.choices[0]
    check(choice.message.content == "You said hello to me.", answer)
    check(choice.finish_reason == "stop" and choice.message.role == "assistant", answer)
    usage = answer.usage
    check((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (11, 7, 18), usage)
    check(usage.prompt_tokens_details.cached_tokens == 3, usage)


def chat_stream(model):
    messages = [{"role": "user", "content": "hello"}]
    options = {"include_usage": True}
    chunks = list(openai_client.chat.completions.create(model=model, messages=messages, stream=True, stream_options=options))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    check(text == "You said hello to .", chunks)
    check(len([chunk for chunk in chunks if chunk.choices]) > 3, chunks)
    check(chunks[0].choices[0].delta.role == "assistant", chunks[0])
    check([chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop", chunks)
    check(chunks[-1].usage.total_tokens == 18 and not chunks[-1].choices, chunks[-1])


def chat_tools(model):
    tools = [{"type": "function", "function": {"name": "weather", "description": "Looks.", "parameters": SCHEMA}}]
    messages = [{"role": "user", "content": "weather?"}]
    answer = openai_client.chat.completions.create(model=model, messages=messages, tools=tools, tool_choice="auto")
    message = answer.choices[0].message
    check(answer.choices[0].finish_reason == "tool_calls", answer)
    cities = [json.loads(call.function.arguments)["city"] for call in message.tool_calls]
    check(cities == ["Paris", "Rome"] and message.content == "I look.", answer)
    check(len({call.id for call in message.tool_calls}) == 2, answer)
    messages.append(message)
    for call, found in zip(message.tool_calls, ["18 C", "25 C"]):
        messages.append({"role": "tool", "tool_call_id": call.id, "content": found})
    answer = openai_client.chat.completions.create(model=model, messages=messages, tools=tools)
    check(answer.choices[0].message.content == "It is 18 C and 25 C.", answer)
    # The same in pieces, put together by the SDK.
    with openai_client.chat.completions.stream(model=model, messages=messages[:1], tools=tools) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion().choices[0]
    calls = [json.loads(call.function.arguments) for call in final.message.tool_calls]
    check(calls == [{"city": "Paris"}, {"city": "Rome"}] and final.finish_reason == "tool_calls", final)


def chat_pictures(model):
    for url, seen in [(f"data:image/png;base64,{PICTURE}", "image/png"), (ELSEWHERE, ELSEWHERE)]:
        content = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": url}}]
        messages = [{"role": "user", "content": content}]
        answer = openai_client.chat.completions.create(model=model, messages=messages)
        check(answer.choices[0].message.content == f"I see {seen}.", answer)


def fails(kind, call, error, message=None):
    try:
        call()
    except error as seen:
        check(message is None or message in str(seen), seen)
        return seen
    raise AssertionError(f"{kind}: no {error.__name__}")


def failures(kind, ask, sdk):
    fails(kind, lambda: ask("fail 400"), sdk.BadRequestError, "as you wish")
    # What a login has failed of is remembered, and it rests then.
    if kind != "openai-codex-responses":
        # Google has no 401 for a key that it does not know.
        status = 403 if kind == "google-generative-ai" else 401
        fails(kind, lambda: ask(f"fail {status}"), sdk.AuthenticationError)
        fails(kind, lambda: ask("fail 429"), sdk.RateLimitError)
        fails(kind, lambda: ask("fail 500"), sdk.InternalServerError)


def chat_errors(kind, model):
    def ask(text, **more):
        messages = [{"role": "user", "content": text}]
        return openai_client.chat.completions.create(model=model, messages=messages, **more)

    failures(kind, ask, openai)
    if kind != "openai-completions":
        fails(kind, lambda: list(ask("break off", stream=True)), openai.APIError)
        fails(kind, lambda: ask("x", n=2), openai.BadRequestError, "`n`")
        fails(kind, lambda: ask("x", logprobs=True), openai.BadRequestError, "`logprobs`")


def message_text(model):
    answer = anthropic_client.messages.create(
        model=model, max_tokens=64, system="me", messages=[{"role": "user", "content": "hello"}])
    check([block.text for block in answer.content] == ["You said hello to me."], answer)
    check(answer.stop_reason == "end_turn" and answer.type == "message", answer)
    usage = answer.usage
    check((usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (8, 3, 7), usage)


def message_stream(model):
    messages = [{"role": "user", "content": "hello"}]
    with anthropic_client.messages.stream(model=model, max_tokens=64, messages=messages) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    check(len(pieces) > 3 and "".join(pieces) == "You said hello to .", pieces)
    check(final.stop_reason == "end_turn", final)
    check((final.usage.input_tokens, final.usage.output_tokens) == (8, 7), final.usage)


def message_thinking(model):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    with anthropic_client.messages.stream(
            model=model, max_tokens=4096, thinking=thinking, messages=[{"role": "user", "content": "hello"}]) as stream:
        final = stream.get_final_message()
    check([block.type for block in final.content] == ["thinking", "text"], final)
    check(final.content[0].thinking == "Let me think.", final)


def message_tools(model):
    tools = [{"name": "weather", "description": "Looks.", "input_schema": SCHEMA}]
    messages = [{"role": "user", "content": "weather?"}]
    ask = {"model": model, "max_tokens": 64, "tools": tools}
    answer = anthropic_client.messages.create(messages=messages, tool_choice={"type": "auto"}, **ask)
    calls = [block for block in answer.content if block.type == "tool_use"]
    check(answer.stop_reason == "tool_use" and [call.input["city"] for call in calls] == ["Paris", "Rome"], answer)
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": found} for call, found in zip(calls, ["18 C", "25 C"])]
    messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
    answer = anthropic_client.messages.create(messages=messages, **ask)
    check(answer.content[0].text == "It is 18 C and 25 C.", answer)
    with anthropic_client.messages.stream(messages=messages[:1], **ask) as stream:
        final = stream.get_final_message()
    calls = [block.input for block in final.content if block.type == "tool_use"]
    check(calls == [{"city": "Paris"}, {"city": "Rome"}] and final.stop_reason == "tool_use", final)


def message_pictures(model):
    inline = {"type": "base64", "media_type": "image/png", "data": PICTURE}
    for source, seen in [(inline, "image/png"), ({"type": "url", "url": ELSEWHERE}, ELSEWHERE)]:
        content = [{"type": "image", "source": source}, {"type": "text", "text": "look"}]
        answer = anthropic_client.messages.create(
            model=model, max_tokens=64, messages=[{"role": "user", "content": content}])
        check(answer.content[0].text == f"I see {seen}.", answer)


def message_errors(kind, model):
    def ask(text, **more):
        return anthropic_client.messages.create(
            model=model, max_tokens=64, messages=[{"role": "user", "content": text}], **more)

    failures(kind, ask, anthropic)
    if kind != "anthropic-messages":
        fails(kind, lambda: list(ask("break off", stream=True)), anthropic.APIError)
        fails(kind, lambda: ask("x", container="c"), anthropic.BadRequestError, "`container`")
        fails(kind, lambda: anthropic_client.messages.count_tokens(
            model=model, messages=[{"role": "user", "content": "x"}]), anthropic.InternalServerError, kind.split("-")[0])


def responses_all(kind, model):
    ask = openai_client.responses
    answer = ask.create(model=model, instructions="me", input="hello")
    check(answer.output_text == "You said hello to me." and answer.usage.total_tokens == 18, answer)
    with ask.stream(model=model, instructions="me", input="hello") as stream:
        pieces = [event.delta for event in stream if event.type == "response.output_text.delta"]
    check("".join(pieces) == "You said hello to me." and len(pieces) > 3, pieces)
    tools = [{"type": "function", "name": "weather", "description": "Looks.", "parameters": SCHEMA, "strict": False}]
    answer = ask.create(model=model, instructions="me", input="weather?", tools=tools)
    calls = [item for item in answer.output if item.type == "function_call"]
    check([json.loads(call.arguments)["city"] for call in calls] == ["Paris", "Rome"], answer)
    more = [{"role": "user", "content": "weather?"}]
    more += [call.model_dump() for call in calls]
    more += [{"type": "function_call_output", "call_id": call.call_id, "output": "18 C"} for call in calls]
    check(ask.create(model=model, instructions="me", input=more).output_text == "It is 18 C and 18 C.")
    content = [{"type": "input_text", "text": "look"}, {"type": "input_image", "detail": "auto", "image_url": ELSEWHERE}]
    answer = ask.create(model=model, instructions="me", input=[{"type": "message", "role": "user", "content": content}])
    check(answer.output_text == f"I see {ELSEWHERE}.", answer)
    failures(kind, lambda text: ask.create(model=model, instructions="me", input=text), openai)


async def at_once():
    """Every kind at the same time, with the clients for asyncio."""
    chat = openai.AsyncOpenAI(base_url=f"{BASE}/v1", api_key=TOKEN, max_retries=0)
    messages = anthropic.AsyncAnthropic(base_url=BASE, api_key=TOKEN, max_retries=0)

    async def by_chat(model):
        stream = await chat.chat.completions.create(
            model=model, messages=[{"role": "user", "content": model}], stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

    async def by_messages(model):
        async with messages.messages.stream(
                model=model, max_tokens=64, messages=[{"role": "user", "content": model}]) as stream:
            return "".join([text async for text in stream.text_stream])

    asked = [model for model in MODELS.values() for _ in range(4)]
    answers = await asyncio.gather(*[way(model) for model in asked for way in (by_chat, by_messages)])
    check(answers == [f"You said {model} to ." for model in asked for _ in range(2)], answers)
    await chat.close()
    await messages.close()


def strangers():
    wrong = openai.OpenAI(base_url=f"{BASE}/v1", api_key="wrong", max_retries=0)
    fails("token", lambda: wrong.models.list(), openai.AuthenticationError)
    wrong = anthropic.Anthropic(base_url=BASE, api_key="wrong", max_retries=0)
    fails("token", lambda: wrong.messages.create(
        model="x", max_tokens=1, messages=[{"role": "user", "content": "x"}]), anthropic.AuthenticationError)
    fails("model", lambda: openai_client.chat.completions.create(
        model="nobodys", messages=[{"role": "user", "content": "x"}]), openai.BadRequestError, "nobodys")
    fails("surface", lambda: openai_client.responses.create(model=MODELS["anthropic-messages"], input="x"),
          openai.InternalServerError, "anthropic-messages")
    check(len(list(openai_client.models.list())) > 1)
    check(len(list(anthropic_client.models.list())) > 1)
    counted = anthropic_client.messages.count_tokens(
        model=MODELS["anthropic-messages"], messages=[{"role": "user", "content": "x"}])
    check(counted.input_tokens == 11, counted)


def commands():
    """What the gateway answers itself has every part and event that the SDKs wait for."""
    said = [{"role": "user", "content": "/model opus"}]
    told = "Model set to anthropic/claude-opus-4-5."
    chat, ours = openai_client.chat.completions, "openclaw"

    def starts(text):
        check(text.startswith(told), text)

    starts(chat.create(model=ours, messages=said).choices[0].message.content)
    with chat.stream(model=ours, messages=said, stream_options={"include_usage": True}) as stream:
        kept = stream.get_final_completion()
    starts(kept.choices[0].message.content)
    check(kept.choices[0].finish_reason == "stop" and kept.usage.total_tokens == 0, kept)
    starts(openai_client.responses.create(model=ours, input=said).output_text)
    with openai_client.responses.stream(model=ours, input="/model opus") as stream:
        for _ in stream:
            pass
        final = stream.get_final_response()
    starts(final.output_text)
    check(final.status == "completed" and final.usage.total_tokens == 0, final)
    starts(anthropic_client.messages.create(model=ours, max_tokens=9, messages=said).content[0].text)
    with anthropic_client.messages.stream(model=ours, max_tokens=9, messages=said) as stream:
        starts("".join(stream.text_stream))
        check(stream.get_final_message().stop_reason == "end_turn")
    wrong = [{"role": "user", "content": "/model opus @p"}]
    fails("command", lambda: chat.create(model=ours, messages=wrong, stream=True), openai.BadRequestError, "before the @")
    fails("command", lambda: anthropic_client.messages.create(model=ours, max_tokens=9, messages=wrong),
          anthropic.BadRequestError, "before the @")
    starts(chat.create(model=ours, messages=said).choices[0].message.content)
    chat.create(model=ours, messages=[{"role": "user", "content": "/model default"}])


def main():
    def run(name, function, *arguments):
        function(*arguments)
        print("ok", name, flush=True)

    for kind, model in MODELS.items():
        for function in (chat_text, chat_stream, chat_tools, chat_pictures):
            run(f"{function.__name__} {kind}", function, model)
        run(f"chat_errors {kind}", chat_errors, kind, model)
        for function in (message_text, message_stream, message_thinking, message_tools, message_pictures):
            run(f"{function.__name__} {kind}", function, model)
        run(f"message_errors {kind}", message_errors, kind, model)
    for kind in RESPONSES:
        run(f"responses {kind}", responses_all, kind, MODELS[kind])
    run("async", lambda: asyncio.run(at_once()))
    run("strangers", strangers)
    run("commands", commands)


main()
