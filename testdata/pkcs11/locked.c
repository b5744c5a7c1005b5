/* A PKCS#11 module that is SoftHSM's, except that every login finds the PIN locked: SoftHSM itself never locks one.
 * SOFTHSM2_MODULE names the module behind it. */
#include <dlfcn.h>
#include <stdlib.h>

#define FUNCTIONS 68
#define C_LOGIN 18
#define CKR_FUNCTION_FAILED 6UL
#define CKR_PIN_LOCKED 0xA4UL

struct function_list {
    unsigned char version[2];
    void *functions[FUNCTIONS];
};

static struct function_list list;

static unsigned long locked_login(unsigned long session, unsigned long user, unsigned char *pin, unsigned long length)
{
    (void)session, (void)user, (void)pin, (void)length;
    return CKR_PIN_LOCKED;
}

unsigned long C_GetFunctionList(struct function_list **answer)
{
    const char *path = getenv("SOFTHSM2_MODULE");
    void *module = path ? dlopen(path, RTLD_NOW) : NULL;
    unsigned long (*get)(struct function_list **) = module ? dlsym(module, "C_GetFunctionList") : NULL;
    struct function_list *real;
    if (!get || get(&real) != 0)
        return CKR_FUNCTION_FAILED;
    list = *real;
    list.functions[C_LOGIN] = (void *)locked_login;
    *answer = &list;
    return 0;
}
