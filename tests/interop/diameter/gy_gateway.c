/* A gateway on freeDiameter: one data session and an event, each answer checked against the dictionary's rules.
 * What happens is told line by line on standard output, each line beginning with "GY ". */

#include <freeDiameter/extension.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_S 15

static sem_t answered;
static pthread_t worker;

static void say(const char *what, const char *more, long number)
{
	fprintf(stdout, "GY %s %s%ld\n", what, more, number);
	fflush(stdout);
}

static struct dict_object *definition(const char *name)
{
	struct dict_object *found = NULL;
	if (fd_dict_search(fd_g_config->cnf_dict, DICT_AVP, AVP_BY_NAME, name, &found, ENOENT) || !found)
		say("no definition of", name, 0);
	return found;
}

static struct avp *add(msg_or_avp *parent, const char *name, union avp_value *value)
{
	struct avp *avp = NULL;
	if (fd_msg_avp_new(definition(name), 0, &avp))
		say("cannot make", name, 0);
	if (value && fd_msg_avp_setvalue(avp, value))
		say("cannot set", name, 0);
	if (fd_msg_avp_add(parent, MSG_BRW_LAST_CHILD, avp))
		say("cannot add", name, 0);
	return avp;
}

static void add_u32(msg_or_avp *parent, const char *name, uint32_t number)
{
	union avp_value value;
	memset(&value, 0, sizeof(value));
	value.u32 = number;
	add(parent, name, &value);
}

static void add_u64(msg_or_avp *parent, const char *name, uint64_t number)
{
	union avp_value value;
	memset(&value, 0, sizeof(value));
	value.u64 = number;
	add(parent, name, &value);
}

static void add_text(msg_or_avp *parent, const char *name, const char *text)
{
	union avp_value value;
	memset(&value, 0, sizeof(value));
	value.os.data = (uint8_t *)text;
	value.os.len = strlen(text);
	add(parent, name, &value);
}

static long number_of(struct msg *answer, const char *name)
{
	struct avp *avp = NULL;
	struct avp_hdr *header = NULL;
	if (fd_msg_search_avp(answer, definition(name), &avp) || !avp || fd_msg_avp_hdr(avp, &header))
		return -1;
	return (long)header->avp_value->u32;
}

static void on_answer(void *name, struct msg **message)
{
	struct fd_pei fault;
	struct msg_hdr *header = NULL;
	memset(&fault, 0, sizeof(fault));
	fd_msg_hdr(*message, &header);
	if (header->msg_flags & CMD_FLAG_REQUEST)
		say("no answer to", name, 0);
	else if (fd_msg_parse_dict(*message, fd_g_config->cnf_dict, &fault))
		say("cannot read the answer to", name, 0);
	else if (fd_msg_parse_rules(*message, fd_g_config->cnf_dict, &fault))
		say(fault.pei_message ? fault.pei_message : "the rules are broken by the answer to", name, 0);
	else {
		fprintf(stdout, "GY %s: %ld e-bit %d type %ld number %ld\n", (char *)name, number_of(*message, "Result-Code"),
			header->msg_flags & CMD_FLAG_ERROR ? 1 : 0, number_of(*message, "CC-Request-Type"),
			number_of(*message, "CC-Request-Number"));
		fflush(stdout);
	}
	fd_msg_free(*message);
	*message = NULL;
	sem_post(&answered);
}

static struct msg *ccr(const char *session, const char *context, uint32_t type, uint32_t number)
{
	struct dict_object *command = NULL;
	struct msg *message = NULL;
	struct avp *group;
	if (fd_dict_search(fd_g_config->cnf_dict, DICT_COMMAND, CMD_BY_NAME, "Credit-Control-Request", &command, ENOENT))
		say("no definition of", "CCR", 0);
	if (fd_msg_new(command, MSGFL_ALLOC_ETEID, &message))
		say("cannot make", "CCR", 0);
	add_text(message, "Session-Id", session);
	fd_msg_add_origin(message, 0);
	add_text(message, "Destination-Realm", "operator.test");
	add_u32(message, "Auth-Application-Id", 4);
	add_text(message, "Service-Context-Id", context);
	add_u32(message, "CC-Request-Type", type);
	add_u32(message, "CC-Request-Number", number);
	group = add(message, "Subscription-Id", NULL);
	add_u32(group, "Subscription-Id-Type", 0);
	add_text(group, "Subscription-Id-Data", "4915550000001");
	return message;
}

static void add_group(struct msg *message, uint32_t rating_group, int64_t used, int asks)
{
	struct avp *group = add(message, "Multiple-Services-Credit-Control", NULL);
	if (asks)
		add(group, "Requested-Service-Unit", NULL);
	if (used >= 0)
		add_u64(add(group, "Used-Service-Unit", NULL), "CC-Total-Octets", (uint64_t)used);
	add_u32(group, "Rating-Group", rating_group);
}

static void ask(const char *name, struct msg *message)
{
	struct timespec until;
	if (fd_msg_send(&message, on_answer, (void *)name)) {
		say("cannot send", name, 0);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	if (sem_timedwait(&answered, &until))
		say("no answer in time to", name, 0);
}

static int is_open(void)
{
	struct fd_list *item;
	int open = 0;
	pthread_rwlock_rdlock(&fd_g_peers_rw);
	for (item = fd_g_peers.next; item != &fd_g_peers; item = item->next)
		open |= fd_peer_get_state((struct peer_hdr *)item->o) == STATE_OPEN;
	pthread_rwlock_unlock(&fd_g_peers_rw);
	return open;
}

static void *work(void *unused)
{
	const char *data = "32251@3gpp.org";
	struct msg *message;
	int waited;
	fd_core_waitstartcomplete();
	for (waited = 0; !is_open() && waited < 10 * PATIENCE_S; waited++)
		usleep(100000);
	say(is_open() ? "open" : "not open", "", 0);

	message = ccr("fd.test;1;1", data, 1, 0);
	add_u32(message, "Multiple-Services-Indicator", 1);
	add_group(message, 10, -1, 1);
	add_group(message, 20, -1, 1);
	ask("initial", message);

	message = ccr("fd.test;1;1", data, 2, 1);
	add_group(message, 10, 5000, 1);
	add_group(message, 20, 7000, 1);
	ask("update", message);

	message = ccr("fd.test;1;1", data, 3, 2);
	add_group(message, 10, 10, 0);
	add_group(message, 20, 20, 0);
	add_u32(message, "Termination-Cause", 1);
	ask("terminate", message);

	message = ccr("fd.test;1;gone", data, 2, 7);
	add_group(message, 10, 1, 1);
	ask("unknown session", message);

	message = ccr("fd.test;1;2", "32274@3gpp.org", 4, 0);
	add_u32(message, "Requested-Action", 0);
	add_u64(add(message, "Requested-Service-Unit", NULL), "CC-Service-Specific-Units", 1);
	ask("event", message);

	message = ccr("fd.test;1;3", "32274@3gpp.org", 4, 0);
	add_u32(message, "Requested-Action", 3);
	add_u64(add(message, "Requested-Service-Unit", NULL), "CC-Service-Specific-Units", 1);
	ask("price enquiry", message);

	fd_core_shutdown();
	return NULL;
}

static int entry(char *configuration)
{
	struct dict_object *application = NULL;
	application_id_t id = 4;
	sem_init(&answered, 0, 0);
	CHECK_FCT(fd_dict_search(fd_g_config->cnf_dict, DICT_APPLICATION, APPLICATION_BY_ID, &id, &application, ENOENT));
	CHECK_FCT(fd_disp_app_support(application, NULL, 1, 0));
	CHECK_POSIX(pthread_create(&worker, NULL, work, NULL));
	return 0;
}

void fd_ext_fini(void)
{
}

EXTENSION_ENTRY("gy_gateway", entry, "dict_dcca");
