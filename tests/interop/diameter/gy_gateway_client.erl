%% A gateway on OTP's diameter: one session with everything the server does, told line by line on standard output.
%% Arguments: port, watchdog interval in milliseconds.

-module(gy_gateway_client).

-include_lib("diameter/include/diameter.hrl").

-export([start/1]).
-export([peer_up/3, peer_down/3, pick_peer/4, prepare_request/3, prepare_retransmit/3,
         handle_answer/4, handle_error/4, handle_request/3]).

-define(SVC, gy_gateway_client).
-define(SESSION, "erlang.test;1;1").

start([PortText, WatchdogText]) ->
    Port = list_to_integer(PortText),
    Watchdog = list_to_integer(WatchdogText),
    register(gateway, self()),
    ok = diameter:start(),
    ok = diameter:start_service(?SVC,
        [{'Origin-Host', "erlang.test"},
         {'Origin-Realm', "visited.test"},
         {'Vendor-Id', 0},
         {'Product-Name', "OTP diameter"},
         {'Auth-Application-Id', [4]},
         {string_decode, false},
         {decode_format, map},
         {strict_mbit, true},
         {application, [{alias, cc}, {dictionary, gy_gateway}, {module, ?MODULE},
                        {answer_errors, callback}, {request_errors, answer_3xxx}]}]),
    true = diameter:subscribe(?SVC),
    {ok, Transport} = diameter:add_transport(?SVC,
        {connect, [{transport_module, diameter_tcp},
                   {transport_config, [{raddr, {127,0,0,1}}, {rport, Port}, {ip, {127,0,0,1}}]},
                   {watchdog_timer, Watchdog},
                   {reconnect_timer, 60000}]}),
    receive #diameter_event{info = Up} when element(1, Up) =:= up -> say("up", [])
    after 10000 -> say("no connection", []), halt(1)
    end,
    ask("initial", ccr(1, 0, #{'Multiple-Services-Indicator' => [1],
                               'Multiple-Services-Credit-Control' => [rsu(10), rsu(20)]})),
    ask("update", ccr(2, 1, #{'Multiple-Services-Credit-Control' => [usu(10, 5000), usu(20, 7000)]})),
    wait_for('RAR'),
    ask("update", ccr(2, 2, #{'Multiple-Services-Credit-Control' => [usu(10, 100)]})),
    wait_for_watchdog(Watchdog),
    wait_for('ASR'),
    ask("terminate", ccr(3, 3, #{'Termination-Cause' => [4],
                                 'Multiple-Services-Credit-Control' => [used(10, 10), used(20, 20)]})),
    ask("unknown session", (ccr(2, 9, #{}))#{'Session-Id' => "erlang.test;1;unknown"}),
    ask("event", (ccr(4, 0, #{'Requested-Action' => [0],
                              'Requested-Service-Unit' => [#{'CC-Service-Specific-Units' => [1]}]}))
        #{'Session-Id' => "erlang.test;1;event", 'Service-Context-Id' => "32274@3gpp.org"}),
    ok = diameter:remove_transport(?SVC, Transport),
    receive #diameter_event{info = Down} when element(1, Down) =:= down -> say("down", [])
    after 10000 -> say("no good-bye", [])
    end,
    %% The DPA is counted when it has come, after the peer is down.
    wait_until(fun() -> counted(fun({{0, 282, 0}, recv, {'Result-Code', 2001}}) -> true; (_) -> false end) end, 50),
    halt(0).

say(Format, Arguments) ->
    io:format(Format ++ "~n", Arguments).

ask(Name, Avps) ->
    case diameter:call(?SVC, cc, ['CCR' | Avps], [{timeout, 10000}]) of
        {answer, ['CCA' | Answer], Errors, IsError} ->
            Groups = [{maps:get('Rating-Group', G, []), maps:get('Result-Code', G, []), granted(G)}
                      || G <- maps:get('Multiple-Services-Credit-Control', Answer, [])],
            say("~s: ~w errors ~w e-bit ~w groups ~w own ~w",
                [Name, maps:get('Result-Code', Answer), Errors, IsError, Groups, granted(Answer)]);
        Other ->
            say("~s: failed ~w", [Name, Other])
    end.

granted(Map) ->
    case maps:get('Granted-Service-Unit', Map, []) of
        [Grant] -> maps:values(maps:filter(fun(_, V) -> V =/= [] end, maps:remove('AVP', Grant)));
        [] -> []
    end.

wait_for(Command) ->
    say("ready for ~w", [Command]),
    receive {asked, Command} -> say("~w", [Command])
    after 30000 -> say("no ~w", [Command])
    end.

%% Either side asks when it has heard nothing for an interval; the counters say that it was answered.
wait_for_watchdog(Interval) ->
    say("silent", []),
    Answered = fun({{0, 280, 0}, recv, {'Result-Code', 2001}}) -> true;
                  ({{0, 280, 0}, send, {'Result-Code', 2001}}) -> true;
                  (_) -> false
               end,
    case wait_until(fun() -> counted(Answered) end, Interval div 20) of
        true -> say("watchdog answered", []);
        false -> say("no watchdog", [])
    end.

wait_until(_, 0) -> false;
wait_until(Holds, Times) ->
    case Holds() of
        true -> true;
        false -> timer:sleep(100), wait_until(Holds, Times - 1)
    end.

counted(Wanted) ->
    Lists = [Counts || Peer <- diameter:service_info(?SVC, connections), {statistics, Counts} <- Peer],
    lists:any(fun({Key, Count}) -> Count > 0 andalso Wanted(Key) end, lists:append(Lists)).

ccr(Type, Number, More) ->
    maps:merge(#{'Session-Id' => ?SESSION,
                 'Origin-Host' => "erlang.test",
                 'Origin-Realm' => "visited.test",
                 'Destination-Realm' => "operator.test",
                 'Auth-Application-Id' => 4,
                 'Service-Context-Id' => "32251@3gpp.org",
                 'CC-Request-Type' => Type,
                 'CC-Request-Number' => Number,
                 'Subscription-Id' => [#{'Subscription-Id-Type' => 0, 'Subscription-Id-Data' => "4915550000001"}]},
               More).

rsu(Group) ->
    #{'Requested-Service-Unit' => [#{'CC-Total-Octets' => [100000]}], 'Rating-Group' => [Group]}.

used(Group, Octets) ->
    #{'Used-Service-Unit' => [#{'CC-Total-Octets' => [Octets]}], 'Rating-Group' => [Group]}.

usu(Group, Octets) ->
    maps:merge(used(Group, Octets), rsu(Group)).

peer_up(_, _, State) -> State.
peer_down(_, _, State) -> State.
pick_peer([Peer | _], _, _, _) -> {ok, Peer}.
prepare_request(#diameter_packet{msg = Message}, _, _) -> {send, Message}.
prepare_retransmit(Packet, _, _) -> {send, Packet}.

handle_answer(#diameter_packet{msg = Message, errors = Errors, header = Header}, _, _, _) ->
    {answer, Message, Errors, Header#diameter_header.is_error}.

handle_error(Reason, _, _, _) ->
    {error, Reason}.

handle_request(#diameter_packet{msg = [Command | Avps], errors = []}, _, _) ->
    gateway ! {asked, Command},
    Answer = case Command of 'RAR' -> 'RAA'; 'ASR' -> 'ASA' end,
    {reply, [Answer | #{'Session-Id' => maps:get('Session-Id', Avps),
                        'Result-Code' => 2001,
                        'Origin-Host' => "erlang.test",
                        'Origin-Realm' => "visited.test"}]};
handle_request(#diameter_packet{errors = Errors}, _, _) ->
    say("request with errors ~w", [Errors]),
    {answer_message, 5012}.
