//! The seven worked scenarios of the AWS Client VPN administrator guide on authorization rules: three groups, and rules that are
//! added one by one. Each says what every group reaches then.

use super::{
    Audience, AuthorizationRule, Evaluation, Policy, Port, RuleId, Ruleset, Service, Tag, Tags, TunnelNetwork,
};

const ENGINEERING: &str = "S-xxxxx14";
const DEVELOPMENT: &str = "S-xxxxx15";
const MANAGERS: &str = "S-xxxxx16";
const ADMINISTRATORS: &str = "S-xxxxx17";
const EVERYBODY: &str = "";

/// One machine of each place that the scenarios speak of.
const ON_PREMISES: &str = "172.16.0.9";
const ON_PREMISES_SMALLER: &str = "172.16.0.130";
const DEVELOPMENT_VPC: &str = "10.0.7.7";
const DEVELOPMENT_HOST: &str = "10.0.2.119";
const VPN_VPC: &str = "192.168.0.5";
const INTERNET: &str = "203.0.113.80";
const PLACES: [&str; 6] =
    [ON_PREMISES, ON_PREMISES_SMALLER, DEVELOPMENT_VPC, DEVELOPMENT_HOST, VPN_VPC, INTERNET];

type Rule = (&'static str, &'static str);

const ENGINEERING_ON_PREMISES: Rule = (ENGINEERING, "172.16.0.0/24");
const DEVELOPMENT_IN_ITS_VPC: Rule = (DEVELOPMENT, "10.0.0.0/16");
const MANAGERS_IN_VPN_VPC: Rule = (MANAGERS, "192.168.0.0/24");
const MANAGERS_ANYWHERE: Rule = (MANAGERS, "0.0.0.0/0");
const MANAGERS_ON_ONE_HOST: Rule = (MANAGERS, "10.0.2.119/32");
const ENGINEERING_ON_LESS: Rule = (ENGINEERING, "172.16.0.128/25");
const ENGINEERING_ANYWHERE: Rule = (ENGINEERING, "0.0.0.0/0");
const EVERYBODY_ANYWHERE: Rule = (EVERYBODY, "0.0.0.0/0");

#[test]
fn scenario_1_access_to_a_single_destination() {
    let rules = [ENGINEERING_ON_PREMISES, DEVELOPMENT_IN_ITS_VPC, MANAGERS_IN_VPN_VPC];
    reaches(&rules, ENGINEERING, &[ON_PREMISES, ON_PREMISES_SMALLER]);
    reaches(&rules, DEVELOPMENT, &[DEVELOPMENT_VPC, DEVELOPMENT_HOST]);
    reaches(&rules, MANAGERS, &[VPN_VPC]);
    reaches(&rules, ADMINISTRATORS, &[]);
}

#[test]
fn scenario_2_any_destination_is_the_shortest_prefix() {
    let rules = [ENGINEERING_ON_PREMISES, DEVELOPMENT_IN_ITS_VPC, MANAGERS_ANYWHERE];
    reaches(&rules, ENGINEERING, &[ON_PREMISES, ON_PREMISES_SMALLER]);
    reaches(&rules, DEVELOPMENT, &[DEVELOPMENT_VPC, DEVELOPMENT_HOST]);
    reaches(&rules, MANAGERS, &[VPN_VPC, INTERNET]);
}

const UP_TO_3: [Rule; 4] =
    [ENGINEERING_ON_PREMISES, DEVELOPMENT_IN_ITS_VPC, MANAGERS_ANYWHERE, MANAGERS_ON_ONE_HOST];

#[test]
fn scenario_3_the_longest_prefix_takes_a_host_out_of_a_network() {
    reaches(&UP_TO_3, ENGINEERING, &[ON_PREMISES, ON_PREMISES_SMALLER]);
    reaches(&UP_TO_3, DEVELOPMENT, &[DEVELOPMENT_VPC]);
    reaches(&UP_TO_3, MANAGERS, &[DEVELOPMENT_HOST, VPN_VPC, INTERNET]);
}

#[test]
fn scenario_4_a_smaller_network_of_the_same_group_takes_nothing_away() {
    let rules = [&UP_TO_3[..], &[ENGINEERING_ON_LESS]].concat();
    reaches(&rules, ENGINEERING, &[ON_PREMISES, ON_PREMISES_SMALLER]);
    reaches(&rules, DEVELOPMENT, &[DEVELOPMENT_VPC]);
    reaches(&rules, MANAGERS, &[DEVELOPMENT_HOST, VPN_VPC, INTERNET]);
}

#[test]
fn scenario_5_two_groups_share_a_prefix() {
    let rules = [&UP_TO_3[..], &[ENGINEERING_ON_LESS, ENGINEERING_ANYWHERE]].concat();
    reaches(&rules, ENGINEERING, &[ON_PREMISES, ON_PREMISES_SMALLER, VPN_VPC, INTERNET]);
    reaches(&rules, DEVELOPMENT, &[DEVELOPMENT_VPC]);
    reaches(&rules, MANAGERS, &[DEVELOPMENT_HOST, VPN_VPC, INTERNET]);
}

#[test]
fn scenario_6_a_rule_for_one_group_takes_a_network_away_from_another() {
    let rules = [&UP_TO_3[..], &[ENGINEERING_ON_LESS, ENGINEERING_ANYWHERE, MANAGERS_IN_VPN_VPC]].concat();
    reaches(&rules, ENGINEERING, &[ON_PREMISES, ON_PREMISES_SMALLER, INTERNET]);
    reaches(&rules, DEVELOPMENT, &[DEVELOPMENT_VPC]);
    reaches(&rules, MANAGERS, &[DEVELOPMENT_HOST, VPN_VPC, INTERNET]);
}

#[test]
fn scenario_7_a_rule_for_all_opens_only_what_no_longer_prefix_is_about() {
    let added = [ENGINEERING_ON_LESS, ENGINEERING_ANYWHERE, MANAGERS_IN_VPN_VPC, EVERYBODY_ANYWHERE];
    let rules = [&UP_TO_3[..], &added].concat();
    reaches(&rules, ENGINEERING, &[ON_PREMISES, ON_PREMISES_SMALLER, INTERNET]);
    reaches(&rules, DEVELOPMENT, &[DEVELOPMENT_VPC, INTERNET]);
    reaches(&rules, MANAGERS, &[DEVELOPMENT_HOST, VPN_VPC, INTERNET]);
    reaches(&rules, ADMINISTRATORS, &[INTERNET]);
}

#[test]
fn additive_rules_take_nothing_away() {
    let rules = [EVERYBODY_ANYWHERE, ENGINEERING_ON_PREMISES, MANAGERS_ON_ONE_HOST];
    let policy = compile(&rules, Evaluation::Additive);
    assert_eq!(reached(&policy, ADMINISTRATORS), PLACES);
    let without = compile(&rules[1..], Evaluation::Additive);
    assert_eq!(reached(&without, MANAGERS), [DEVELOPMENT_HOST]);
}

/// What `group` reaches under `rules` is `expected`, in the order of the places.
#[track_caller]
fn reaches(rules: &[Rule], group: &str, expected: &[&str]) {
    let policy = compile(rules, Evaluation::LongestPrefix);
    assert_eq!(reached(&policy, group), expected, "{group}");
}

fn reached(policy: &Policy, group: &str) -> Vec<&'static str> {
    let tags: Tags = [Tag::group(group)].into_iter().collect();
    let service = Service { protocol: super::PROTOCOL_UDP, port: Port::Number(53) };
    let is_open = |place: &&str| policy.judge(&tags, place.parse().unwrap(), service).is_allowed();
    PLACES.into_iter().filter(is_open).collect()
}

fn compile(rules: &[Rule], evaluation: Evaluation) -> Policy {
    let rule = |((group, destination), id): (&Rule, u32)| AuthorizationRule {
        audience: match *group {
            EVERYBODY => Audience::Everybody,
            group => Audience::AnyOf([Tag::group(group)].into_iter().collect()),
        },
        ..AuthorizationRule::for_everybody(RuleId(id), destination.parse().unwrap())
    };
    Policy::compile(&Ruleset {
        tunnel: TunnelNetwork {
            network: "100.64.0.0/16".parse().unwrap(),
            server: "100.64.0.1".parse().unwrap(),
            ipv6: None,
        },
        client_networks: vec![],
        routes: vec!["0.0.0.0/0".parse().unwrap()],
        rules: rules.iter().zip(0..).map(rule).collect(),
        evaluation,
        security: None,
    })
}
